import Diffusion
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct SamplerTests {
    private static let mean = 0.15
    private static let variance = 0.02

    /// Draws an image of independent pixels with the exact predictor for them.
    private func sample(
        _ sampler: ReverseSampler, respacing: String? = nil, predictsVariance: Bool = false, interpolation: Float = -1
    ) throws -> [Double] {
        let trained = try NoiseSchedule(DiffusionDescription())
        let schedule = try NoiseSchedule(DiffusionDescription(), respacing: try respacing.map { try Respacing($0) })
        let predictor = GaussianPredictor(
            mean: Self.mean, variance: Self.variance, schedule: trained, predictsVariance: predictsVariance)
        predictor.interpolation = interpolation
        var noise = RandomStream(seed: 3, name: "sample")
        var image = Tensor<Float>(shape: [3, 24, 24], (0..<3 * 24 * 24).map { _ in Float(noise.normal()) })
        for step in (0..<schedule.count).reversed() {
            let prediction = try NoisePrediction(of: image, at: schedule.timesteps[step], by: predictor)
            let clean = schedule.cleanImage(of: image, prediction, at: step)
            image = schedule.previousImage(
                from: image, clean: clean, prediction, at: step, sampler: sampler, noise: &noise)
        }
        return image.elements.map(Double.init)
    }

    private func expectPrior(_ values: [Double], _ comment: String) {
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        // Four standard errors of 1,728 samples are 0.014 and 0.14; the fewer the steps, the more of the variance is lost.
        expectClose(mean, Self.mean, absolute: 0.014, comment)
        expectClose(variance, Self.variance, relative: 0.2, comment)
    }

    @Test(
        .tags(.slow),
        arguments: [ReverseSampler.ddpm, .ddim(eta: 0), .ddim(eta: 0.5), .ddim(eta: 1)], [nil, "500", "250"])
    func `the reverse process gives back the distribution that the predictor knows`(
        _ sampler: ReverseSampler, _ respacing: String?
    ) throws {
        expectPrior(try sample(sampler, respacing: respacing), "\(sampler), \(respacing ?? "all steps")")
    }

    @Test(.tags(.slow)) func `a learned variance of either bound gives the same distribution`() throws {
        expectPrior(try sample(.ddpm, predictsVariance: true, interpolation: -1), "the posterior's variance")
        expectPrior(try sample(.ddpm, predictsVariance: true, interpolation: 1), "beta")
    }

    @Test func `interpolating at -1 is drawing with the posterior's variance`() throws {
        let learned = try sample(.ddpm, respacing: "20", predictsVariance: true, interpolation: -1)
        let fixed = try sample(.ddpm, respacing: "20")
        expectClose(learned, fixed, absolute: 1e-6)
    }

    @Test func `DDIM with eta 1 draws as DDPM does`() throws {
        let implicit = try sample(.ddim(eta: 1), respacing: "50")
        let ancestral = try sample(.ddpm, respacing: "50")
        expectClose(implicit, ancestral, absolute: 1e-4)
    }

    @Test func `DDIM with eta 0 draws no number`() throws {
        let schedule = try NoiseSchedule(DiffusionDescription(), respacing: Respacing(steps: 10))
        let image = Tensor<Float>(shape: [1, 2, 2], repeating: 0.5)
        var noise = RandomStream(seed: 1, name: "none")
        _ = schedule.previousImage(
            from: image, clean: image, NoisePrediction(noise: image), at: 5, sampler: .ddim(eta: 0), noise: &noise)
        #expect(noise.counter == 0)
    }

    @Test func `the clean image is clipped, and exact where it is not`() throws {
        let schedule = try NoiseSchedule(DiffusionDescription(), respacing: Respacing(steps: 10))
        let clean = Tensor<Float>(shape: [1, 1, 4], [-1.5, -0.25, 0.75, 2])
        let epsilon = Tensor<Float>(shape: [1, 1, 4], [0.3, -1, 0.7, 1.9])
        let alphaBar = Float(schedule.alphaBar[4])
        let noisy = Tensor<Float>(
            shape: [1, 1, 4],
            zip(clean.elements, epsilon.elements).map { alphaBar.squareRoot() * $0 + (1 - alphaBar).squareRoot() * $1 })
        let found = schedule.cleanImage(of: noisy, NoisePrediction(noise: epsilon), at: 4)
        expectClose(found.elements, [-1, -0.25, 0.75, 1] as [Float], absolute: 1e-5)
    }

    @Test func `the last step leaves the clean image`() throws {
        let schedule = try NoiseSchedule(DiffusionDescription(), respacing: Respacing(steps: 10))
        let clean = Tensor<Float>(shape: [1, 1, 3], [-0.5, 0.1, 0.9])
        var noise = RandomStream(seed: 1, name: "last")
        for sampler in [ReverseSampler.ddpm, .ddim(eta: 0), .ddim(eta: 1)] {
            let last = schedule.previousImage(
                from: Tensor(shape: [1, 1, 3], repeating: 0.3), clean: clean,
                NoisePrediction(noise: Tensor(shape: [1, 1, 3])), at: 0, sampler: sampler, noise: &noise)
            expectClose(last, clean, absolute: 1e-6, "\(sampler)")
        }
        #expect(noise.counter == 0)
    }

    @Test func `an answer of another shape than promised is refused`() throws {
        final class Liar: NoisePredictor {
            let channels = 3
            let predictsVariance = true
            let classCount: Int? = nil
            func predict(_ image: Tensor<Float>, timestep _: Double, label _: Int?) throws -> Tensor<Float> { image }
        }
        #expect(throws: DiffusionError.self) {
            try NoisePrediction(of: Tensor(shape: [3, 4, 4]), at: 0, by: Liar())
        }
    }
}
