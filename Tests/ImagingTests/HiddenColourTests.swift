import Imaging
import Tensors
import TestSupport
import Testing

@Suite struct HiddenColourTests {
    private static let (height, width) = (11, 13)

    /// A disc of one colour, with a sharp or a soft edge, and `hidden` wherever nothing is visible.
    private func sticker(hidden: [Float], isSoft: Bool) -> Image {
        let colour: [Float] = [0.95, 0.87, 0.24]
        let (height, width) = (Self.height, Self.width)
        let alpha = (0..<height * width).map { index -> Float in
            let (y, x) = (Float(index / width) - 5, Float(index % width) - 6)
            let distance = (y * y + x * x).squareRoot()
            return isSoft ? min(max((5 - distance) / 4, 0), 1) : distance < 4 ? 1 : 0
        }
        let planes = (0..<3).flatMap { channel in alpha.map { $0 > 0 ? colour[channel] : hidden[channel] } }
        return Image(
            colour: Tensor(shape: [3, height, width], planes), alpha: Tensor(shape: [height, width], alpha))
    }

    @Test(arguments: [false, true]) func `what alpha hides has no effect on what is made of the image`(
        isSoft: Bool
    ) throws {
        let black = sticker(hidden: [0, 0, 0], isSoft: isSoft).fillingHiddenColour()
        let green = sticker(hidden: [0.1, 1, 0.3], isSoft: isSoft).fillingHiddenColour()
        #expect(black == green)
        // One visible colour is all that there is to spread.
        for channel in 0..<3 {
            let plane = black.colour.elements[channel * 143..<(channel + 1) * 143]
            expectClose(Array(plane), [Float](repeating: [0.95, 0.87, 0.24][channel], count: 143), absolute: 1e-5)
        }
        #expect(black.alpha == sticker(hidden: [0, 0, 0], isSoft: isSoft).alpha)
    }

    @Test func `visible pixels keep their colours exactly`() throws {
        var stream = RandomStream(seed: 3, name: "hidden")
        let colour = Tensor<Float>(shape: [3, 9, 8], (0..<216).map { _ in Float(stream.uniform()) })
        let alpha = Tensor<Float>(
            shape: [9, 8], (0..<72).map { $0 % 3 == 0 ? 0 : Float(0.07 + stream.uniform() * 0.9) })
        let filled = Image(colour: colour, alpha: alpha).fillingHiddenColour()
        for index in 0..<216 {
            if alpha[index % 72] > 0 { #expect(filled.colour[index] == colour[index]) }
            #expect((0...1).contains(filled.colour[index]))
        }
    }

    @Test func `pictures without hidden pixels stay as they are, and those with nothing visible become black`() {
        let colour = Tensor<Float>(shape: [1, 2, 3], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        let opaque = Image(colour: colour)
        #expect(opaque.fillingHiddenColour() == opaque)
        let covered = Image(colour: colour, alpha: Tensor(shape: [2, 3], repeating: 0.5))
        #expect(covered.fillingHiddenColour() == covered)
        let empty = Image(colour: colour, alpha: Tensor(shape: [2, 3]))
        #expect(empty.fillingHiddenColour().colour == Tensor(shape: [1, 2, 3]))
    }
}
