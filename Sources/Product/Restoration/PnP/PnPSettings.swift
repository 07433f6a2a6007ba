import Foundation
public import Jobs
public import KernelPrior
import Tensors

/// Everything that decides what PnP-DKP computes, beyond the input and the weights: the numbers behind a preset.
public struct PnPSettings: Sendable, Equatable {
    /// The search for the kernel by an untrained network: its steps are those after which it ends at the latest.
    public var search: DIPSettings
    /// When the kernel counts as found.
    public var convergence = KernelConvergence.Criterion()
    /// How often the image is restored again with a kernel of no family, refined on the way, once that is chosen.
    public var furtherRounds = 1
    /// The steps of a round.
    public var stepsPerRound = 24
    /// The noise level of a round's first step, white being 1; from there to ``lastLevel`` it is a geometric sequence.
    public var firstLevel = 100 / 255.0
    /// The noise level of its last step.
    public var lastLevel = 2 / 255.0
    /// The deviation of the noise that is added before the network denoises, as a share of the step's noise level. Without
    /// it the network, which was trained with noise, takes ringing and the edge of a blur for lines.
    public var addedNoise = 0.7
    /// The weight of the denoised image beside the data, where the noise of a step is that of the data.
    public var imageWeight = 0.23
    /// The standard deviation of the input's noise, white being 1; half a step of 8 bits for clean input.
    public var dataStandardDeviation = 0.5 / 255
    /// The energy of the image with a kernel of no family, relative to that with the Gaussian, up to which the former is
    /// chosen.
    public var greatestEnergyRatio = 0.8
    /// The same where the Gaussian is so much longer than wide that a path is likelier than a Gaussian: the wrong shape
    /// sharpens most along a long kernel.
    public var greatestEnergyRatioOfPath = 1.5
    /// The least ratio of a Gaussian's variances along and across that counts as that. Of Gaussians that vary freely in
    /// width, few are as narrow; of paths, many.
    public var leastPathElongation = 10.0
    /// The same where the Gaussian is nearly as wide as any that is looked for: it may stand for something wider, or for what
    /// the picture's own direction feigns.
    public var greatestEnergyRatioAtLimit = 0.93
    /// The least fraction of the largest variance looked for that counts as that.
    public var limitFraction = 0.9
    /// The first share of a round in which the kernel stays as it is: an image that is still blurred by its noise would
    /// destroy it.
    public var fixedShare = 0.5
    /// The variance of what the denoised image leaves uncertain, as a share of the step's own noise variance.
    public var imageUncertainty = 0.3
    /// The most that the noise level of a step counts for in that.
    public var largestUncertainLevel = 20 / 255.0
    /// How much of the kernel's normal equations is kept from one step to the next.
    public var equationMemory = 0.5
    /// The weight of the squared distance of a refined kernel's extent from the one that the search found, relative to
    /// that one's trace, as a share of the data's loss.
    public var extentWeight = 4.0
    /// The kernel's refinement.
    public var refinement = FreeKernelEstimator()

    /// The numbers that a user's settings mean.
    public init(_ settings: RestorationSettings) {
        if settings.preset == .paper {
            search = DIPSettings(settings)
            search.averagedShare = 0
            return
        }
        search = .kernelSearch
        search.kernelEstimation = search.kernelEstimation.with(sampler: settings.sampler)
        switch settings.preset {
        case .fast:
            search.steps = 60
            stepsPerRound = 10
            furtherRounds = 0
        case .best:
            search.steps = 500
            stepsPerRound = 32
            furtherRounds = 2
        case .default, .paper: break
        }
        if let steps = settings.steps { search.steps = steps }
    }

    /// The noise levels of a round.
    var levels: [Double] {
        let ratio = lastLevel / firstLevel
        return (0..<stepsPerRound).map { step in
            firstLevel * pow(ratio, Double(step) / Double(max(stepsPerRound - 1, 1)))
        }
    }

    /// The energy ratio up to which a kernel of no family is chosen instead of this one, `[n, n]`.
    /// - Parameter largestVariance: of the Gaussians that were looked for, in squared pixels.
    func greatestEnergyRatio(beside kernel: Tensor<Float>, largestVariance: Double) -> Double {
        let moments = KernelMoments(kernel)
        var ratio = greatestEnergyRatio
        if moments.major >= limitFraction * largestVariance { ratio = max(ratio, greatestEnergyRatioAtLimit) }
        if moments.major >= leastPathElongation * moments.minor { ratio = max(ratio, greatestEnergyRatioOfPath) }
        return ratio
    }

    /// alpha: the weight of the denoised image beside the data at a noise level.
    func weight(at level: Double) -> Double {
        imageWeight * dataStandardDeviation * dataStandardDeviation / (level * level)
    }

    /// The ridge of the kernel's equations, which count two directions, at a noise level.
    func ridge(at level: Double) -> Double {
        let level = min(level, largestUncertainLevel)
        return 2 * imageUncertainty * level * level
    }
}
