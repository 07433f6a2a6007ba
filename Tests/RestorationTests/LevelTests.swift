import Degradation
import Foundation
import Jobs
import KernelFamilies
import KernelPrior
import Restoration
import Tensors
import TestSupport
import Testing

/// What the input shows of brightness and colour holds in the restored image.
@Suite struct LevelTests {
    /// The side of a patch of one level, the distance between two, and how far from the edges levels are compared, in
    /// pixels of the input: beyond the reach of any blur.
    private static let (side, distance, margin) = (10, 4, 3)
    private static let levels = [15, 45, 75, 105, 135, 165, 225, 250].map { Float($0) / 255 }

    /// Eight flat patches on a flat background at `scale` times the size of an input.
    private func scene(background: Float, scale: Int) -> Tensor<Float> {
        let pitch = Self.side + Self.distance
        let (height, width) = (2 * pitch + Self.distance, 4 * pitch + Self.distance)
        var planes: [Float] = []
        for (channel, factor) in [Float(1), 0.6, 0.2].enumerated() {
            for row in 0..<height * scale {
                for column in 0..<width * scale {
                    let (y, x) = (row / scale - Self.distance, column / scale - Self.distance)
                    let isPatch = y >= 0 && x >= 0 && y % pitch < Self.side && x % pitch < Self.side
                    // Gray in the upper row, orange in the lower.
                    let level = isPatch ? Self.levels[y / pitch * 4 + x / pitch] : background
                    planes.append(isPatch && y >= pitch ? level * (channel == 0 ? 1 : factor) : level)
                }
            }
        }
        return Tensor(shape: [3, height * scale, width * scale], planes)
    }

    /// The mean over each patch of each channel, its margin left out.
    private func means(_ image: Tensor<Float>, scale: Int) -> [Double] {
        let (height, width) = (image.shape[1], image.shape[2])
        let pitch = Self.side + Self.distance
        return (0..<3).flatMap { channel in
            Self.levels.indices.map { patch in
                let top = (Self.distance + patch / 4 * pitch + Self.margin) * scale
                let left = (Self.distance + patch % 4 * pitch + Self.margin) * scale
                let span = (Self.side - 2 * Self.margin) * scale
                var sum = 0.0
                for row in top..<top + span {
                    for column in left..<left + span {
                        sum += Double(image[(channel * height + row) * width + column])
                    }
                }
                return sum / Double(span * span)
            }
        }
    }

    private func blurred(_ scene: Tensor<Float>, scale: Int) throws -> (input: Tensor<Float>, kernel: Tensor<Float>) {
        let degradation = try SyntheticDegradation(scale: scale, family: .gaussian, seed: 3)
        let kernel = degradation.kernel.map { Float($0) }
        let model = DegradationOperator(
            scale: scale, kernelSize: kernel.shape[0], height: scene.shape[1], width: scene.shape[2])
        // As a file of 8 bits holds it.
        return (model.apply(image: scene, kernel: kernel).map { ($0 * 255).rounded() / 255 }, kernel)
    }

    @Test(arguments: [2, 4], [Float(0), 0.5, 1])
    func `whatever the method makes of the levels, they end as the input's`(scale: Int, background: Float) throws {
        let truth = scene(background: background, scale: scale)
        let (input, kernel) = try blurred(truth, scale: scale)
        // Bright areas driven towards white, and all a little off.
        let spoiled = truth.map { $0 > 0.6 ? 0.2 + 0.8 * $0 : $0 * 0.95 + 0.01 }
        let estimate = LevelCorrection(observed: input, scale: scale).corrected(
            RestorationEstimate(image: spoiled, kernel: kernel))
        let model = DegradationOperator(
            scale: scale, kernelSize: kernel.shape[0], height: truth.shape[1], width: truth.shape[2])
        let (before, after) = (
            meanSquaredError(model.apply(image: spoiled, kernel: kernel), input),
            meanSquaredError(model.apply(image: estimate.image, kernel: kernel), input)
        )
        #expect(after < before / 5)
        expectClose(
            means(estimate.image, scale: scale), means(truth, scale: scale), absolute: 1.0 / 255)
    }

    @Test func `levels that agree already are left alone`() throws {
        let truth = scene(background: 0.5, scale: 2)
        let kernel = try SyntheticDegradation(scale: 2, family: .gaussian, seed: 3).kernel.map { Float($0) }
        let model = DegradationOperator(
            scale: 2, kernelSize: kernel.shape[0], height: truth.shape[1], width: truth.shape[2])
        let estimate = LevelCorrection(observed: model.apply(image: truth, kernel: kernel), scale: 2).corrected(
            RestorationEstimate(image: truth, kernel: kernel))
        expectClose(estimate.image, truth.map { Double($0) }, absolute: 1e-5)
    }

    @Test func `an input smaller than the blur is corrected too`() {
        let kernel = Tensor<Float>(shape: [11, 11], repeating: 1 / 121)
        let estimate = LevelCorrection(observed: Tensor(shape: [1, 2, 3], repeating: 0.4), scale: 2).corrected(
            RestorationEstimate(image: Tensor(shape: [1, 4, 6], repeating: 0.9), kernel: kernel))
        expectClose(estimate.image, Tensor<Double>(shape: [1, 4, 6], repeating: 0.4), absolute: 0.01)
    }

    @Test(.tags(.slow), arguments: [2, 4], [Float(0), 0.5, 1])
    func `flat colours keep their levels`(scale: Int, background: Float) throws {
        let truth = scene(background: background, scale: scale)
        let (input, _) = try blurred(truth, scale: scale)
        var settings = RestorationSettings()
        settings.scale = scale
        settings.steps = 120
        let process = try DIPDKP(input: input, settings: settings)
        while process.step < process.totalSteps { _ = try process.advance() }
        let estimate = LevelCorrection(observed: input, scale: scale).corrected(try process.estimate())
        expectClose(means(estimate.image, scale: scale), means(truth, scale: scale), absolute: 1.0 / 255)
    }
}
