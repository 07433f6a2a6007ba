import Degradation
import Foundation
import Tensors
import Testing

@Suite struct NoiseEstimateTests {
    /// Soft blobs of one colour each, with noise of a deviation, in 255ths.
    private static func picture(channels: Int, side: Int, noise: Double) -> Tensor<Float> {
        var random = RandomStream(seed: 5, name: "picture")
        var image = Tensor<Float>(shape: [channels, side, side], repeating: 0.4)
        for _ in 0..<30 {
            let (top, left) = (random.uniform() * Double(side), random.uniform() * Double(side))
            let width = 3 + 8 * random.uniform()
            for channel in 0..<channels {
                let height = 0.2 * random.normal()
                for row in 0..<side {
                    for column in 0..<side {
                        let distance = pow(Double(row) - top, 2) + pow(Double(column) - left, 2)
                        image[(channel * side + row) * side + column] += Float(
                            height * exp(-distance / (2 * width * width)))
                    }
                }
            }
        }
        return image.map { value in
            Float((255 * Double(value) + noise * random.normal()).rounded() / 255)
        }
    }

    @Test(arguments: [1, 3], [1.0, 2, 4, 8]) func `the noise is found to half a step`(_ channels: Int, _ noise: Double)
    {
        let found = 255 * NoiseEstimate.standardDeviation(of: Self.picture(channels: channels, side: 64, noise: noise))
        #expect(abs(found - noise) < 0.5, "found \(found)")
    }

    @Test(arguments: [1, 3]) func `a clean picture has hardly more than its rounding`(_ channels: Int) {
        let found = 255 * NoiseEstimate.standardDeviation(of: Self.picture(channels: channels, side: 64, noise: 0))
        #expect(found < 0.5, "found \(found)")
    }

    @Test func `an image too small to tell has none`() {
        #expect(NoiseEstimate.standardDeviation(of: Tensor(shape: [3, 6, 9], repeating: 0.3)) == 0)
        #expect(NoiseEstimate.standardDeviation(of: Tensor(shape: [1, 1, 1], repeating: 0.3)) == 0)
    }
}
