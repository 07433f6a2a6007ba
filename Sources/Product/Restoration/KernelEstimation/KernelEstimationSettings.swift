public import Jobs
public import KernelPrior

/// How the kernel is found beside the image, whatever makes the image.
public struct KernelEstimationSettings: Sendable, Codable, Equatable {
    /// Fresh draws from the prior, or Metropolis chains.
    public var sampler = RestorationSettings.Sampler.metropolis
    /// The number of draws per sampling, or of chains.
    public var draws = 5
    /// How draws are weighed.
    public var weighting = KernelWeighting.inverseLoss
    /// The image's own variance, seen through the present kernel, as a share of the present loss: what the chains take into
    /// account of the image's being uncertain (``UncertainImageLoss``); 0 takes the image as it is.
    public var imageUncertainty = 0.1
    /// Whether the prior is drawn from the authors' wider range of variances.
    public var usesPaperPrior = false
    /// Whether the image follows the mean kernel of the chains rather than the kernel network's.
    public var followsChains = true
    /// The first share of the steps in which the chains know Gaussians only, whatever the family: they find how wide
    /// the blur is and where it points before its shape is asked for.
    public var coarseShare = 0.3
    /// The kernel network's depth and width.
    public var network = KernelNetworkSettings()
    /// Adam's rate for the kernel network.
    public var networkLearningRate = 1e-4
    /// Steps of the kernel network's warm-up towards a random kernel.
    public var warmUpSteps = 200
    /// The weight of the squared distance, in pixels, of the network's centre of mass from where it belongs.
    public var centroidWeight = 0.0

    /// The weight, in the chains' target, of the evidence with the image integrated out, a sample's beside a sample's of
    /// the data: while the chains find how wide the blur is...
    public var coarseEvidenceWeight = 1.0
    /// ... and afterwards.
    public var evidenceWeight = 0.2
    /// Whether, in the family `auto`, the free kernel leads from ``coarseShare`` to ``choiceShare`` and is kept if the
    /// evidence is for it; where not, it is followed beside the chains' for the report alone.
    public var triesFreeKernel = false
    /// The share of the steps after which the evidence chooses between the chains' kernel and the free one; above 1 it
    /// never does.
    public var choiceShare = 0.6
    /// The least variance of a Gaussian, as a share of the prior's.
    public var leastVarianceShare = 1.0
    /// How a kernel bound to no family is found.
    public var free = FreeKernelSettings()

    /// Chains lead, with Gaussians first: the best found.
    public static var standard: KernelEstimationSettings { KernelEstimationSettings() }

    /// The authors' method: draws pull a kernel network.
    public static var paper: KernelEstimationSettings {
        var settings = KernelEstimationSettings()
        settings.sampler = .independent
        settings.weighting = .focal
        settings.usesPaperPrior = true
        settings.followsChains = false
        settings.coarseShare = 0
        settings.imageUncertainty = 0
        return settings
    }

    /// These settings with another sampler; draws lead nowhere by themselves, so with them the kernel network leads.
    public func with(sampler: RestorationSettings.Sampler?) -> KernelEstimationSettings {
        guard let sampler, sampler != self.sampler else { return self }
        var settings = self
        settings.sampler = sampler
        if sampler == .independent {
            settings.followsChains = false
            settings.networkLearningRate = 2e-4
            settings.centroidWeight = 0.01
        }
        return settings
    }
}
