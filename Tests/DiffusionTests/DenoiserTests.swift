import Diffusion
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct `Denoisers` {
    private func noise(_ shape: [Int]) -> Tensor<Float> {
        var stream = RandomStream(seed: 4, name: "images")
        return Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(0.5 + 0.1 * stream.normal()) })
    }

    /// Answers with each pixel's difference to its right neighbour, which no flip or rotation leaves as it is.
    private final class DirectedPredictor: NoisePredictor {
        let channels = 1
        let predictsVariance = false
        let classCount: Int? = nil
        private(set) var shapes: [[Int]] = []
        private(set) var timesteps: [Double] = []
        func predict(_ image: Tensor<Float>, timestep: Double, label _: Int?) throws -> Tensor<Float> {
            shapes.append(image.shape)
            timesteps.append(timestep)
            let (columns, values) = (image.shape[2], image.elements)
            return Tensor(
                shape: image.shape,
                values.indices.map { $0 % columns + 1 < columns ? values[$0 + 1] - values[$0] : 0 })
        }
    }

    private func turned(_ image: Tensor<Float>, _ index: Int) -> Tensor<Float> {
        let (rows, columns) = (image.shape[1], image.shape[2])
        let isTransposed = index & 4 != 0
        let shape = isTransposed ? [1, columns, rows] : [1, rows, columns]
        return Tensor(
            shape: shape,
            (0..<image.count).map { place in
                var (row, column) = (place / shape[2], place % shape[2])
                if isTransposed { (row, column) = (column, row) }
                if index & 1 != 0 { row = rows - 1 - row }
                if index & 2 != 0 { column = columns - 1 - column }
                return image[row * columns + column]
            })
    }

    @Test(arguments: 0..<8, [(16, 16), (9, 13), (40, 40)])
    func `of independent pixels the posterior mean is what comes out`(orientation: Int, size: (Int, Int)) throws {
        let training = DiffusionDescription()
        let schedule = try NoiseSchedule(training)
        let (mean, variance, deviation) = (0.4, 0.02, 25 / 255.0)
        // The network's black is -1 and its white is 1.
        let predictor = GaussianPredictor(mean: 2 * mean - 1, variance: 4 * variance, schedule: schedule)
        let denoiser = try Denoiser(
            predictor, training: training, height: size.0, width: size.1, multiple: 8, largestTile: 32, overlap: 8)
        let image = noise([3, size.0, size.1])
        let gain = variance / (variance + deviation * deviation)
        let expected = image.map { Float(min(max(mean + gain * (Double($0) - mean), 0), 1)) }
        // The training's steps are some percent of the deviation apart.
        expectClose(
            try denoiser.denoise(image, standardDeviation: deviation, orientation: orientation), expected,
            absolute: 2e-3)
    }

    @Test(arguments: 0..<8)
    func `a turned image is denoised as the image would be turned`(orientation: Int) throws {
        let denoiser = try Denoiser(
            DirectedPredictor(), training: DiffusionDescription(), height: 16, width: 16, largestTile: 256)
        let image = noise([1, 16, 16])
        let asItIs = try denoiser.denoise(image, standardDeviation: 0.1, orientation: orientation)
        let turnedFirst = try denoiser.denoise(turned(image, orientation), standardDeviation: 0.1, orientation: 0)
        expectClose(turned(asItIs, orientation), turnedFirst, absolute: 1e-6)
    }

    @Test(arguments: [(240, 240, 1), (252, 100, 1), (500, 300, 1), (600, 240, 2), (1000, 1500, 12)])
    func `tiles fit the image and the network`(_ height: Int, _ width: Int, _ count: Int) throws {
        let predictor = DirectedPredictor()
        let denoiser = try Denoiser(
            predictor, training: DiffusionDescription(), height: height, width: width, multiple: 8, largestTile: 520)
        #expect(denoiser.tileCount == count)
        for orientation in 0..<8 {
            let image = noise([1, height, width])
            #expect(try denoiser.denoise(image, standardDeviation: 0.1, orientation: orientation).shape == image.shape)
        }
        // A network is planned for one size only.
        #expect(Set(predictor.shapes).count == 1 && predictor.shapes.count == 8 * count)
        #expect(predictor.shapes[0][1...].allSatisfy { $0 % 8 == 0 && $0 <= 520 })
    }

    @Test(arguments: [2.0, 5, 15, 50, 100])
    func `the network is asked at the training's step with the nearest noise`(_ level: Double) throws {
        let predictor = DirectedPredictor()
        let schedule = try NoiseSchedule(DiffusionDescription())
        let denoiser = try Denoiser(
            predictor, training: DiffusionDescription(), height: 8, width: 8, largestTile: 64)
        _ = try denoiser.denoise(noise([1, 8, 8]), standardDeviation: level / 255, orientation: 0)
        let distances = (0..<1000).map { abs(schedule.noiseLevel(at: $0) - 2 * level / 255) }
        #expect(distances[Int(predictor.timesteps[0])] == distances.min())
    }
}
