import Imaging
import Tensors
import Testing

@Suite struct ResamplingTests {
    @Test(arguments: [2, 3, 4, 8])
    func `a ramp stays a ramp away from the edges`(scale: Int) {
        let (height, width) = (9, 11)
        let ramp = Tensor<Float>(
            shape: [1, height, width], (0..<height * width).map { 0.03 * Float($0 % width) + 0.02 * Float($0 / width) })
        let large = ramp.resampledBicubic(height: height * scale, width: width * scale)
        #expect(large.shape == [1, height * scale, width * scale])
        // Two input pixels from the edge, no tap falls on a repeated pixel.
        for y in 2 * scale..<(height - 2) * scale {
            for x in 2 * scale..<(width - 2) * scale {
                let inputX = (Float(x) + 0.5) / Float(scale) - 0.5
                let inputY = (Float(y) + 0.5) / Float(scale) - 0.5
                let difference = large[y * width * scale + x] - (0.03 * inputX + 0.02 * inputY)
                #expect(abs(difference) < 1e-6)
            }
        }
    }

    @Test func `a constant stays constant up to the edges`() {
        let large = Tensor<Float>(shape: [3, 5, 4], repeating: 0.75).resampledBicubic(height: 15, width: 12)
        #expect(large.elements.allSatisfy { abs($0 - 0.75) < 1e-6 })
    }

    @Test func `the same size changes nothing`() {
        let image = QualityTests.noise([3, 6, 7], seed: 1)
        #expect(image.resampledBicubic(height: 6, width: 7) == image)
    }

    @Test func `doubling a step gives Keys' weights`() {
        let step = Tensor<Float>(shape: [1, 6], [0, 0, 0, 1, 1, 1]).resampledBicubic(height: 1, width: 12)
        // Taps at distances 1.25, 0.25, 0.75, 1.75: -0.0703125, 0.8671875, 0.2265625, -0.0234375.
        let expected: [Float] = [0, 0, 0, -0.0234375, -0.0703125, 0.203125, 0.796875, 1.0703125, 1.0234375, 1, 1, 1]
        for (index, value) in expected.enumerated() { #expect(abs(step[index] - value) < 1e-6) }
    }

    @Test func `an enlarged image stays within range and keeps alpha and metadata`() {
        var image = Image(
            colour: Tensor(shape: [1, 2, 2], [0, 1, 1, 0]), alpha: Tensor(shape: [2, 2], [0, 1, 0, 1]),
            bitDepth: .sixteen)
        image.metadata.gamma = 45_455
        let large = image.resampledBicubic(height: 8, width: 8)
        #expect(large.colour.elements.allSatisfy { (0...1).contains($0) })
        #expect(large.alpha?.shape == [8, 8])
        #expect(large.bitDepth == .sixteen)
        #expect(large.metadata == image.metadata)
    }
}
