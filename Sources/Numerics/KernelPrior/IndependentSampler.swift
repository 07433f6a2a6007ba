import KernelFamilies
import Tensors

/// Independent draws from the prior in every iteration, weighed by how well each explains the input (Equations 3 to 8).
public struct IndependentSampler: KernelSampler {
    /// The prior that is sampled.
    public let prior: KernelPrior
    /// The number L of draws per iteration.
    public let draws: Int
    /// How the draws are weighed.
    public let weighting: KernelWeighting
    /// What the last iteration gave.
    public internal(set) var last: KernelSample?
    var stream: RandomStream

    /// A sampler at its beginning.
    /// - Parameters:
    ///   - draws: L, 1 to 1,000. Throws ``KernelPriorError`` otherwise.
    ///   - seed: the seed of the run; the stream is called `kernel_draws`.
    public init(
        prior: KernelPrior, draws: Int = 5, weighting: KernelWeighting = .inverseLoss, seed: UInt64
    ) throws(KernelPriorError) {
        guard (1...1000).contains(draws) else { throw .setting("draws", draws, allowed: "1 to 1000") }
        self.prior = prior
        self.draws = draws
        self.weighting = weighting
        stream = RandomStream(seed: seed, name: "kernel_draws")
    }

    /// Draws L kernels and weighs them.
    public mutating func sample(_ loss: some KernelLoss, noiseVariance: Double?) -> KernelSample {
        var kernels: [Tensor<Float>] = []
        var categories: [KernelCategory] = []
        var losses: [Double] = []
        for _ in 0..<draws {
            let latent = prior.draw(from: &stream)
            let kernel = prior.kernel(of: latent)
            kernels.append(kernel)
            categories.append(latent.category)
            losses.append(loss.loss(of: kernel))
        }
        let variance = noiseVariance ?? residualVariance(losses, count: loss.count)
        let sample = KernelSample(
            kernels: kernels, categories: categories, losses: losses,
            weights: weighting.weights(for: losses, variance: variance))
        last = sample
        return sample
    }
}

/// sigma^2 as the best kernel's mean squared residual, kept above zero.
func residualVariance(_ losses: [Double], count: Int) -> Double {
    max((losses.min() ?? 0) / Double(max(count, 1)), 1e-12)
}
