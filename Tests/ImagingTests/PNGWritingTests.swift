import Imaging
import Tensors
import Testing

@Suite struct PNGWritingTests {
    @Test(arguments: [1, 3], Image.BitDepth.allCases)
    func `every level survives writing and reading`(channels: Int, bitDepth: Image.BitDepth) throws {
        let levels = bitDepth.highestLevel + 1
        let (height, width) = (256, levels / 256)
        let plane = (0..<levels).map { Float($0) / Float(bitDepth.highestLevel) }
        let colour = Tensor<Float>(
            shape: [channels, height, width], (0..<channels).flatMap { plane.dropFirst($0) + plane.prefix($0) })
        for alpha in [nil, Tensor<Float>(shape: [height, width], plane.reversed())] {
            let image = Image(colour: colour, alpha: alpha, bitDepth: bitDepth)
            #expect(try Image(data: image.pngData()) == image)
        }
    }

    @Test func `samples are clamped and rounded to the nearest level`() throws {
        let values: [Float] = [-1, -0.001, 0.49 / 255, 0.51 / 255, 254.4 / 255, 1.5, -3, 1e9]
        let image = Image(colour: Tensor(shape: [1, 2, 4], values))
        let read = try Image(data: image.pngData())
        #expect(read.colour.elements.map { Int($0 * 255) } == [0, 0, 0, 1, 254, 255, 0, 255])
        #expect(read.colour == image.colour.roundedToEightBits())
    }

    @Test func `a file is replaced whole and nothing is left beside it`() throws {
        let image = Image(colour: Tensor(shape: [1, 3, 3], repeating: 0.5))
        try withScratchFile(Array("old".utf8)) { path in
            try image.writePNG(to: path)
            #expect(try Image(file: path).colour == image.colour.roundedToEightBits())
            #expect(try entries(besides: path) == [])
        }
    }

    @Test func `writing where there is no directory is a typed error`() {
        let image = Image(colour: Tensor(shape: [1, 3, 3], repeating: 0.5))
        let path = "/no such directory/image.png"
        let error = #expect(throws: ImageError.self) { try image.writePNG(to: path) }
        #expect(error?.code == .cannotWrite)
        #expect(error?.message.contains(path) == true)
    }
}
