import Jobs
import KernelFamilies
import KernelPrior
import Restoration

/// What of a method is left out, or varied.
///
/// The paper's own (its Tables 1, 3 and 4) on its method with an image network of fewer channels and fewer steps; then
/// those of PnP-DKP as it is by default.
enum Ablation: String, CaseIterable {
    // The paper's method.
    case paper
    case paperOneSample = "paper-samples-1"
    case paperTwoSamples = "paper-samples-2"
    case paperTenSamples = "paper-samples-10"
    case paperWithoutSampling = "paper-without-sampling"
    case paper3x100 = "paper-3x100"
    case paper5x100 = "paper-5x100"
    case paper5x1000 = "paper-5x1000"
    case paper7x100 = "paper-7x100"
    case paper7x1000 = "paper-7x1000"
    // PnP-DKP.
    case pnp
    case pnpSearchAlone = "pnp-search-alone"
    case pnpWithoutFreeKernel = "pnp-without-free-kernel"
    case pnpFreeKernelAlone = "pnp-free-kernel-alone"
    case pnpWithoutEvidence = "pnp-without-evidence"
    case pnpWithoutUncertainty = "pnp-without-uncertainty"
    case pnpWithoutRefinement = "pnp-without-refinement"
    case pnpOneChain = "pnp-one-chain"

    /// The network of the paper's method: wide enough to tell the variants apart, and done in half a minute.
    private static let (paperChannels, paperSteps) = (48, 400)

    /// The settings of DIP-DKP, where the variant has no trained prior.
    func dip(_ restoration: RestorationSettings) -> DIPSettings? {
        if self == .pnpSearchAlone { return PnPSettings(restoration).search }
        var settings = DIPSettings.paper
        settings.channels = Self.paperChannels
        settings.steps = Self.paperSteps
        switch self {
        case .paper: break
        case .paperOneSample: settings.kernelEstimation.draws = 1
        case .paperTwoSamples: settings.kernelEstimation.draws = 2
        case .paperTenSamples: settings.kernelEstimation.draws = 10
        // Once, before the first step.
        case .paperWithoutSampling: settings.stepsPerSample = settings.steps
        case .paper3x100: settings.kernelEstimation.network = network(depth: 3, units: 100)
        case .paper5x100: settings.kernelEstimation.network = network(depth: 5, units: 100)
        case .paper5x1000: settings.kernelEstimation.network = network(depth: 5, units: 1000)
        case .paper7x100: settings.kernelEstimation.network = network(depth: 7, units: 100)
        case .paper7x1000: settings.kernelEstimation.network = network(depth: 7, units: 1000)
        default: return nil
        }
        return settings
    }

    private func network(depth: Int, units: Int) -> KernelNetworkSettings {
        KernelNetworkSettings(inputCount: 200, hiddenCount: units, depth: depth)
    }

    /// The settings of PnP-DKP.
    func pnp(_ restoration: RestorationSettings) -> PnPSettings {
        var settings = PnPSettings(restoration)
        switch self {
        case .pnpWithoutEvidence:
            settings.search.kernelEstimation.coarseEvidenceWeight = 0
            settings.search.kernelEstimation.evidenceWeight = 0
            settings.search.kernelEstimation.free.evidenceWeight = 0
        case .pnpWithoutUncertainty:
            settings.search.kernelEstimation.imageUncertainty = 0
            settings.search.kernelEstimation.free.uncertainty = 0
            settings.imageUncertainty = 0
        case .pnpWithoutRefinement: settings.furtherRounds = 0
        case .pnpOneChain: settings.search.kernelEstimation.draws = 1
        default: break
        }
        return settings
    }

    /// The kernel family.
    var family: KernelFamily {
        switch self {
        case .pnpWithoutFreeKernel: .gaussian
        case .pnpFreeKernelAlone: .free
        default: .auto
        }
    }
}
