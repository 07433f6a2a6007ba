import Checkpointing
import KernelPrior
import Tensors

/// Finds the kernel beside the image: random kernel sampling (Equations 3 to 8), and where draws lead, the kernel network
/// that they and the data pull at (Equation 12).
///
/// A value with its whole state inside; what it reads of the image are losses and gradients.
struct KernelEstimator {
    let settings: KernelEstimationSettings
    let prior: KernelPrior
    private var network: KernelNetwork
    private var search: KernelSearch
    private let oracle: Tensor<Float>?

    /// An estimator at its beginning.
    /// - Parameters:
    ///   - oracleKernel: the true kernel, used instead of an estimate.
    ///   - warmsUp: false where the network is about to be overwritten from a checkpoint.
    init(
        _ estimation: KernelEstimationSettings, for settings: RestorationSettings, oracleKernel: Tensor<Float>?,
        warmsUp: Bool
    ) throws {
        self.settings = estimation
        let priorSettings =
            estimation.usesPaperPrior
            ? KernelPriorSettings.paper(
                family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
            : KernelPriorSettings(family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
        prior = try KernelPrior(settings: priorSettings)
        let size = prior.kernelSize
        if let oracleKernel, oracleKernel.shape != [size, size] {
            throw RestorationError(
                .badInput,
                "an oracle kernel of shape \(oracleKernel.shape), at scale \(settings.scale) kernels are \(size) x \(size)",
                remedy: "give a kernel of that size")
        }
        oracle = oracleKernel
        network = try KernelNetwork(kernelSize: size, seed: settings.seed)
        search = try KernelSearch(prior: prior, settings: estimation, seed: settings.seed)
        if trainsNetwork && warmsUp {
            var stream = RandomStream(seed: settings.seed, name: "kernel_network/warm_up")
            let start = prior.kernel(of: prior.draw(from: &stream))
            network.warmUp(towards: start, steps: estimation.warmUpSteps, rate: estimation.networkRate)
        }
    }

    /// The kernel that the image is restored with at present, `[n, n]`.
    var kernel: Tensor<Float> {
        if let oracle { return oracle }
        if settings.followsChains, let kernel = search.last?.kernel { return kernel }
        return network.output
    }

    /// The kernel's category, where chains tell it.
    var category: KernelCategory? { oracle == nil && settings.followsChains ? search.last?.category : nil }

    /// Whether there is anything to find.
    var isSearching: Bool { oracle == nil }

    /// Whether the kernel network leads, and so learns.
    var trainsNetwork: Bool { oracle == nil && !settings.followsChains }

    /// The kernel network's output, `[n, n]`.
    var networkKernel: Tensor<Float> { network.output }

    /// Random kernel sampling with the present image, and one step of the kernel network towards what it found.
    /// - Parameters:
    ///   - step: the steps done before this one, which decide on the families that chains move in.
    ///   - steps: the steps to do in all.
    mutating func sample(_ loss: some KernelLoss, step: Int, of steps: Int) {
        if Double(step) >= settings.coarseShare * Double(steps) { search.open(to: prior) }
        let present = loss.loss(of: kernel)
        // An image that is not finite tells nothing of the kernel.
        guard present.isFinite else { return }
        let variance = settings.imageUncertainty * present / kernel.squaredNorm
        let sample = search.sample(UncertainImageLoss(loss, variance: variance))
        guard trainsNetwork else { return }
        network.zeroGradients()
        network.backward(sample.guidance(at: network.output).gradient)
        network.adamStep(rate: settings.networkRate)
        network.forward()
        network.zeroGradients()
    }

    /// Adds up what the data say of the kernel network's output.
    /// - Parameter dataGradient: the data term's gradient in the kernel, `[n, n]`; used up.
    mutating func follow(dataGradient: inout Tensor<Float>) {
        if settings.centroidWeight > 0 {
            let penalty = CentroidPenalty.value(of: network.output, centre: prior.settings.centrePosition).gradient
            let weight = Float(settings.centroidWeight)
            dataGradient.withUnsafeMutableBufferPointer { gradient in
                penalty.withUnsafeBufferPointer { penalty in
                    for index in 0..<gradient.count { gradient[index] += weight * penalty[index] }
                }
            }
        }
        network.backward(dataGradient)
    }

    /// One step of the kernel network down the gradients added up.
    mutating func stepNetwork() {
        network.adamStep(rate: settings.networkRate)
        network.forward()
        network.zeroGradients()
    }

    func save(to snapshot: inout Snapshot) {
        if !settings.followsChains { network.save(to: &snapshot) }
        search.save(to: &snapshot)
    }

    mutating func restore(from snapshot: Snapshot) throws {
        if !settings.followsChains { try network.restore(from: snapshot) }
        try search.restore(from: snapshot, prior: prior)
    }
}
