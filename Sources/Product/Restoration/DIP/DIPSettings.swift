import Foundation
public import Jobs

/// Everything that decides what DIP-DKP computes, beyond the input: the numbers behind a preset.
///
/// A step is one update of the image network. Every ``stepsPerSample`` steps, kernels are sampled and pull the kernel
/// network towards them (Equations 6 to 8); in between the kernel network follows the data (Equation 12).
public struct DIPSettings: Sendable, Codable, Equatable {
    /// The number of steps, at least 1.
    public var steps: Int
    /// The channels of each of the image network's scales.
    public var channels = 128
    /// The steps between two samplings of kernels: the inner loop of Algorithm 2.
    public var stepsPerSample = 5
    /// The steps between two updates of the kernel network by the data; gradients add up in between.
    public var stepsPerKernelUpdate = 3
    /// The first share of the steps, in which the data term is 1 - SSIM; afterwards it is the mean squared error.
    public var similarityShare = 0.4
    /// The weight of the mean squared error beside 1 - SSIM, which alone hardly sees the level of a flat bright area.
    public var squaredErrorWeight = 0.0
    /// Adam's rate for the image network.
    public var imageLearningRate = 5e-3
    /// The last share of the steps, over which the image network's rate falls to ``finalImageLearningRate`` along a half cosine;
    /// 0 keeps it.
    public var annealedShare = 0.0
    /// Adam's rate for the image network at the last step, where it is annealed.
    public var finalImageLearningRate = 5e-4
    /// The weight of the gradient prior, per value of the input: 0.001 x 0.2 in the authors' program.
    public var gradientPriorWeight = 2e-4
    /// How the kernel is found.
    public var kernelEstimation = KernelEstimationSettings.paper
    /// The last share of the steps, whose images are averaged; 0 takes the last image.
    public var averagedShare = 0.0

    /// The authors' method and settings (algorithm.md, "authors' setting"): 200 outer iterations of 5 steps.
    public static var paper: DIPSettings { DIPSettings(steps: 1000) }

    /// The best settings found; Docs/quality.md has the measurements that chose them.
    ///
    /// The chains lead from the first step on. They begin with the widest blur that the prior knows, which a blank image
    /// calls for, and narrow as the image gains detail: the image is never sharpened for a blur that it later turns
    /// out not to have.
    public static var standard: DIPSettings {
        var settings = DIPSettings(steps: 500)
        settings.similarityShare = 1
        settings.squaredErrorWeight = 10
        settings.kernelEstimation = .standard
        settings.averagedShare = 0.1
        settings.annealedShare = 0.3
        return settings
    }

    /// Those of a search for the kernel alone: a network of fewer channels, which learns as fast by the step and takes a
    /// fraction of the time; in the family `auto` the image follows a free kernel, which gives it away best where the
    /// blur has no family's shape.
    static var kernelSearch: DIPSettings {
        var settings = DIPSettings.standard
        settings.steps = 240
        settings.channels = 48
        settings.stepsPerSample = 3
        settings.averagedShare = 0
        settings.kernelEstimation.triesFreeKernel = true
        settings.kernelEstimation.choiceShare = 2
        settings.kernelEstimation.leastVarianceShare = 0.5
        return settings
    }

    /// The numbers that a user's settings mean.
    public init(_ settings: RestorationSettings) {
        self = settings.preset == .paper ? .paper : .standard
        switch settings.preset {
        case .fast: steps = 200
        case .best: steps = 1000
        case .default, .paper: break
        }
        if let steps = settings.steps { self.steps = steps }
        kernelEstimation = kernelEstimation.with(sampler: settings.sampler)
    }

    init(steps: Int) { self.steps = steps }

    /// Adam's rate for the image network at a step, counted from 0.
    func imageLearningRate(at step: Int) -> Double {
        let start = (1 - annealedShare) * Double(steps)
        guard annealedShare > 0, Double(step) > start else { return imageLearningRate }
        let progress = (Double(step) - start) / max(1, Double(steps - 1) - start)
        return finalImageLearningRate + (imageLearningRate - finalImageLearningRate) * 0.5
            * (1 + cos(.pi * min(1, progress)))
    }
}
