import Diffusion
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct TilingTests {
    private func noise(_ shape: [Int]) -> Tensor<Float> {
        var stream = RandomStream(seed: 4, name: "tiles")
        return Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(stream.normal()) })
    }

    /// Answers with the tile's own mean everywhere: as far from local as a network can be.
    private final class MeanPredictor: NoisePredictor {
        let channels = 1
        let predictsVariance = false
        let classCount: Int? = nil
        private(set) var sizes: [[Int]] = []
        func predict(_ image: Tensor<Float>, timestep _: Double, label _: Int?) throws -> Tensor<Float> {
            sizes.append(image.shape)
            let mean = image.elements.reduce(0, +) / Float(image.count)
            return Tensor(shape: image.shape, repeating: mean)
        }
    }

    @Test(arguments: [(16, 16), (17, 40), (64, 30), (100, 16)])
    func `a pixelwise predictor gives the same in tiles as at once`(_ height: Int, _ width: Int) throws {
        let schedule = try NoiseSchedule(DiffusionDescription())
        let base = GaussianPredictor(mean: 0.2, variance: 0.1, schedule: schedule, predictsVariance: true)
        let image = noise([3, height, width])
        let tiled = TiledPredictor(base, size: 16, overlap: 5)
        let whole = try base.predict(image, timestep: 300, label: nil)
        expectClose(try tiled.predict(image, timestep: 300, label: nil), whole, absolute: 1e-5)
    }

    @Test func `tiles that disagree fade into each other`() throws {
        let base = MeanPredictor()
        let tiled = TiledPredictor(base, size: 64)
        #expect(tiled.overlap == 16)
        // Left half dark, right half bright: neighbouring tiles answer by values up to 1 apart.
        let (height, width) = (64, 200)
        let image = Tensor<Float>(
            shape: [1, height, width], (0..<height * width).map { $0 % width < width / 2 ? 0 : 1 })
        let answer = try tiled.predict(image, timestep: 10, label: nil).elements
        #expect(base.sizes.count == tiled.tileCount(height: height, width: width))
        #expect(base.sizes.allSatisfy { $0 == [1, 64, 64] })
        for column in 1..<width {
            // The steepest part of a fade over 16 columns is pi / 32.
            #expect(abs(answer[column] - answer[column - 1]) < 0.1, "column \(column)")
        }
        #expect(answer.allSatisfy { $0 >= -1e-6 && $0 <= 1 + 1e-6 })
    }

    @Test(arguments: [(256, 1), (257, 2), (448, 2), (449, 3), (640, 3), (1000, 5)])
    func `tiles of 256 overlap by 64 at least`(_ length: Int, _ count: Int) {
        let tiled = TiledPredictor(MeanPredictor(), size: 256)
        #expect(tiled.tileCount(height: 256, width: length) == count)
    }

    @Test func `a small image is continued by its reflection and cut out again`() {
        let image = Tensor<Float>(shape: [1, 2, 3], [1, 2, 3, 4, 5, 6])
        let canvas = Canvas(imageHeight: 2, imageWidth: 3, least: 6)
        let filled = canvas.filled(with: image)
        #expect(filled.shape == [1, 6, 6])
        #expect(
            filled.elements == [
                1, 2, 3, 2, 1, 2, 4, 5, 6, 5, 4, 5, 1, 2, 3, 2, 1, 2, 4, 5, 6, 5, 4, 5, 1, 2, 3, 2, 1, 2, 4, 5, 6, 5, 4,
                5,
            ])
        #expect(canvas.image(of: filled) == image)
    }

    @Test func `an image as large as the network is its own canvas`() {
        let image = noise([3, 8, 12])
        let canvas = Canvas(imageHeight: 8, imageWidth: 12, least: 8)
        #expect(canvas.filled(with: image) == image)
        #expect(canvas.image(of: image) == image)
    }

    @Test func `an image of one pixel is continued by itself`() {
        let canvas = Canvas(imageHeight: 1, imageWidth: 1, least: 4)
        #expect(canvas.filled(with: Tensor(shape: [1, 1, 1], [0.25])).elements.allSatisfy { $0 == 0.25 })
    }
}
