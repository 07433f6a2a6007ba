public import Diffusion
public import Jobs

/// Everything that decides what Diff-DKP computes, beyond the input and the weights: the numbers behind a preset.
public struct DiffusionSettings: Sendable, Equatable {
    /// The steps of the reverse process.
    public var steps = 100
    /// How a step goes to the next noise level.
    public var sampler = ReverseSampler.ddpm
    /// How an image is made consistent with the data.
    public var dataConsistency = RestorationSettings.DataConsistency.proximal
    /// The standard deviation, in units of white, of what blur and decimation do not explain in the input; by default
    /// that of rounding to 8 bits. Over the noise level of a step, and squared, it is the weight of the network's image
    /// in the proximal step: the surer the network, the more it counts.
    public var dataStandardDeviation = 1 / 255 / 12.0.squareRoot()
    /// The weight's bounds. Below the lower one, a kernel that is not yet right would be made up for by ringing.
    public var weights = 1e-3...1e-2
    /// How often kernels are sampled in a step: it costs little beside the network.
    public var samplesPerStep = 1
    /// Updates of the kernel network by the data after each sampling.
    public var networkUpdatesPerSample = 2
    /// How the kernel is found.
    public var kernelEstimation = chains
    /// The splitting that makes the picture once the reverse process is over, which finds the kernel: a sample of the
    /// model is *a* likely image, and what is wanted is their mean. Nil takes the sample.
    public var ending: PnPSettings?

    /// As for an untrained network, but surer of the image: a trained one follows a kernel that is too narrow less far
    /// into smoothness. Taken as certain, though, its image can lead the chains into a streak that they never leave.
    private static var chains: KernelEstimationSettings {
        var settings = KernelEstimationSettings.standard
        settings.imageUncertainty = 0.03
        return settings
    }

    /// The numbers that a user's settings mean.
    public init(_ settings: RestorationSettings) {
        switch settings.preset {
        case .paper:
            kernelEstimation = .paper
            samplesPerStep = 10
        case .fast: steps = 50
        case .best: steps = 250
        case .default: break
        }
        if settings.preset != .paper { ending = PnPSettings(settings) }
        if let steps = settings.diffusionSteps { self.steps = steps }
        sampler = settings.diffusionSampler == .ddpm ? .ddpm : .ddim(eta: settings.eta)
        dataConsistency = settings.dataConsistency
        kernelEstimation = kernelEstimation.with(sampler: settings.sampler)
    }

    /// alpha of the proximal step at a noise level.
    func weight(atNoiseLevel level: Double) -> Double {
        // White is 2 away from black for the network, 1 in the data.
        let ratio = 2 * dataStandardDeviation / level
        return min(max(ratio * ratio, weights.lowerBound), weights.upperBound)
    }
}
