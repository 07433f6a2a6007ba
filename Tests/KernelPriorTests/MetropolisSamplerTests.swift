import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import TestSupport
import Testing

@Suite struct MetropolisSamplerTests {
    /// A loss with a broad posterior: how far the second moments are from given ones.
    struct Width: KernelLoss {
        let count = 1
        func loss(of kernel: Tensor<Float>) -> Double {
            let moments = KernelMoments(kernel)
            let major = (moments.major - 6) / 2
            let minor = (moments.minor - 1) / 1
            return major * major + minor * minor
        }
    }

    /// What a posterior is summarised by.
    struct Summary {
        var gaussians = 0.0
        var lines = 0.0
        var major = 0.0
        var weight = 0.0

        mutating func add(_ latent: KernelLatent, _ kernel: Tensor<Float>, _ prior: KernelPrior, weight: Double) {
            self.weight += weight
            if latent.category == .gaussian {
                gaussians += weight
            } else if prior.motion(of: latent).turns.isEmpty {
                lines += weight
            }
            major += weight * KernelMoments(kernel).major
        }
    }

    @Test(.tags(.slow)) func `chains find the posterior that weighted draws from the prior find`() throws {
        let prior = try makePrior(.auto)
        let loss = Width()
        // sigma^2 = 1/2: the likelihood is exp(-loss).
        var expected = Summary()
        var stream = RandomStream(seed: 1, name: "importance")
        for _ in 0..<8000 {
            let latent = prior.draw(from: &stream)
            let kernel = prior.kernel(of: latent)
            expected.add(latent, kernel, prior, weight: exp(-loss.loss(of: kernel)))
        }
        var settings = MetropolisSettings()
        settings.proposals = 4
        settings.categoryShare = 0.3
        var sampler = try MetropolisSampler(prior: prior, settings: settings, seed: 3)
        var found = Summary()
        for iteration in 0..<2000 {
            let sample = sampler.sample(loss, noiseVariance: 0.5)
            guard iteration >= 100 else { continue }
            for (latent, kernel) in zip(sampler.latents, sample.kernels) {
                found.add(latent, kernel, prior, weight: 1)
            }
        }
        expectClose(
            found.gaussians / found.weight, expected.gaussians / expected.weight, absolute: 0.1, "Gaussians")
        expectClose(found.lines / found.weight, expected.lines / expected.weight, absolute: 0.03, "lines")
        expectClose(found.major / found.weight, expected.major / expected.weight, absolute: 0.2, "major variance")
    }

    @Test(arguments: KernelFamily.allCases)
    func `without a likelihood the chains have the prior's moments`(family: KernelFamily) throws {
        let prior = try makePrior(family)
        let flat = KernelLossFunction(count: 1) { _ in 0 }
        var settings = MetropolisSettings()
        settings.proposals = 10
        settings.initialDraws = 1
        settings.hotChains = 0
        var sampler = try MetropolisSampler(prior: prior, settings: settings, seed: 2)
        var sum = 0.0
        var squares = 0.0
        var count = 0.0
        for _ in 0..<120 {
            _ = sampler.sample(flat, noiseVariance: 1)
            for latent in sampler.latents {
                for normal in latent.normals {
                    sum += normal
                    squares += normal * normal
                    count += 1
                }
            }
        }
        expectClose(sum / count, 0, absolute: 0.15)
        expectClose(squares / count, 1, absolute: 0.25)
    }

    @Test func `cold chains recover a Gaussian beyond 60 dB and adapt their steps`() throws {
        let prior = try makePrior(.gaussian)
        let truth = GaussianKernel(variance1: 7, variance2: 2.5, angle: 0.9).rendered(size: 19, scale: 4, centre: 10.5)
            .map { Float($0) }
        var sampler = try MetropolisSampler(prior: prior, seed: 0)
        for _ in 0..<40 { _ = sampler.sample(Distance(truth: truth), noiseVariance: 1e-9) }
        let sample = try #require(sampler.last)
        #expect(peakSignalToNoise(sample.kernel, truth) > 60)
        #expect(sample.spread < 0.05)
        #expect((0.2...0.5).contains(sampler.acceptance))
    }

    @Test(arguments: [KernelCategory.gaussian, .motion])
    func `auto finds out the category`(category: KernelCategory) throws {
        let prior = try makePrior(.auto)
        var stream = RandomStream(seed: 21, name: "truth")
        let truth = prior.kernel(of: prior.draw(category, from: &stream))
        var sampler = try MetropolisSampler(prior: prior, seed: 0)
        for _ in 0..<30 { _ = sampler.sample(Distance(truth: truth)) }
        let sample = try #require(sampler.last)
        #expect(sample.category == category)
        #expect(peakSignalToNoise(sample.kernel, truth) > (category == .gaussian ? 60 : 42))
    }

    @Test func `equal samplers stay equal`() throws {
        let prior = try makePrior(.auto)
        var stream = RandomStream(seed: 4, name: "truth")
        let loss = Distance(truth: prior.kernel(of: prior.draw(.motion, from: &stream)))
        var first = try MetropolisSampler(prior: prior, seed: 6)
        var second = try MetropolisSampler(prior: prior, seed: 6)
        for _ in 0..<3 { #expect(first.sample(loss) == second.sample(loss)) }
        var other = try MetropolisSampler(prior: prior, seed: 7)
        #expect(first.sample(loss) != other.sample(loss))
    }

    @Test func `a loss that is not a number is never accepted`() throws {
        let prior = try makePrior(.gaussian)
        var settings = MetropolisSettings()
        settings.hotChains = 0
        var sampler = try MetropolisSampler(prior: prior, settings: settings, seed: 0)
        _ = sampler.sample(KernelLossFunction(count: 1) { _ in 1 }, noiseVariance: 1)
        let before = sampler.latents
        _ = sampler.sample(KernelLossFunction(count: 1) { _ in .nan }, noiseVariance: 1)
        #expect(sampler.latents == before)
    }

    @Test func `renewal lets a hopeless chain go on from the best`() throws {
        let prior = try makePrior(.motion)
        var stream = RandomStream(seed: 12, name: "truth")
        let loss = Distance(truth: prior.kernel(of: prior.draw(from: &stream)))
        var settings = MetropolisSettings()
        settings.hotChains = 0
        settings.renewalInterval = 1
        var sampler = try MetropolisSampler(prior: prior, settings: settings, seed: 0)
        for _ in 0..<10 { _ = sampler.sample(loss) }
        let sample = try #require(sampler.last)
        #expect((sample.losses.max() ?? 0) < 10 * (sample.losses.min() ?? 0))
    }
}
