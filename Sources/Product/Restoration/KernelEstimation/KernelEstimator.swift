import Checkpointing
import Jobs
import KernelFamilies
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
    private var free: FreeKernelSearch?
    private var choice: KernelChoice
    private let oracle: Tensor<Float>?

    /// An estimator at its beginning.
    /// - Parameters:
    ///   - oracleKernel: the true kernel, used instead of an estimate.
    ///   - observed: the input, where a free kernel may be looked for, and the standard deviation of its noise.
    ///   - warmsUp: false where the network is about to be overwritten from a checkpoint.
    init(
        _ estimation: KernelEstimationSettings, for settings: RestorationSettings, oracleKernel: Tensor<Float>?,
        warmsUp: Bool, observed: Tensor<Float>? = nil, noise: Double = 0
    ) throws {
        self.settings = estimation
        var priorSettings =
            estimation.usesPaperPrior
            ? KernelPriorSettings.paper(
                family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
            : KernelPriorSettings(family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
        let variances = priorSettings.gaussianVariances
        priorSettings.gaussianVariances =
            estimation.leastVarianceShare * variances.lowerBound...variances.upperBound
        prior = try KernelPrior(settings: priorSettings)
        let size = prior.kernelSize
        if let oracleKernel, oracleKernel.shape != [size, size] {
            throw RestorationError(
                .badInput,
                "an oracle kernel of shape \(oracleKernel.shape), at scale \(settings.scale) kernels are \(size) x \(size)",
                remedy: "give a kernel of that size")
        }
        oracle = oracleKernel
        network = try KernelNetwork(kernelSize: size, settings: estimation.network, seed: settings.seed)
        search = try KernelSearch(prior: prior, settings: estimation, seed: settings.seed)
        let family = settings.kernelFamily
        let isTried = family == .auto && estimation.triesFreeKernel
        choice = KernelChoice(leader: family == .free || isTried ? .free : .chains, isOpen: isTried)
        if let observed, oracleKernel == nil, estimation.followsChains, family == .free || family == .auto {
            free = try FreeKernelSearch(
                estimation.free, observed: observed, scale: settings.scale, kernelSize: size,
                centre: prior.settings.centrePosition, noise: noise)
        }
        if trainsNetwork && warmsUp {
            var stream = RandomStream(seed: settings.seed, name: "kernel_network/warm_up")
            let start = prior.kernel(of: prior.draw(from: &stream))
            network.warmUp(towards: start, steps: estimation.warmUpSteps, learningRate: estimation.networkLearningRate)
        }
    }

    /// The kernel that the image is restored with at present, `[n, n]`.
    var kernel: Tensor<Float> {
        if let oracle { return oracle }
        if choice.leader == .free, let kernel = free?.kernel { return kernel }
        if settings.followsChains, let kernel = search.last?.kernel { return kernel }
        return network.output
    }

    /// The chains' mean kernel, whoever leads; nil where there are none or they have not been asked yet.
    var chainsKernel: Tensor<Float>? { oracle == nil && settings.followsChains ? search.last?.kernel : nil }

    /// The chains' category, whoever leads.
    var chainsCategory: KernelCategory? { oracle == nil && settings.followsChains ? search.last?.category : nil }

    /// The kernel's category, where chains tell it.
    var category: KernelCategory? {
        guard oracle == nil, settings.followsChains else { return nil }
        return choice.leader == .free && free?.kernel != nil ? .free : search.last?.category
    }

    /// How sure the kernel is, where chains looked for it.
    var confidence: KernelConfidence? {
        guard oracle == nil, settings.followsChains, let sample = search.last else { return nil }
        return KernelConfidence(
            runnerUp: choice.margin == nil ? nil : choice.leader == .free ? sample.category : .free,
            margin: choice.margin.map { choice.leader == .free ? $0 : -$0 }, spread: sample.spread)
    }

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
    mutating func sample(_ loss: some KernelLoss, image: Tensor<Float>? = nil, step: Int, of steps: Int) {
        let isCoarse = Double(step) < settings.coarseShare * Double(steps)
        if !isCoarse && free == nil { search.open(to: prior) }
        let present = kernel
        let energy = loss.loss(of: present)
        // An image that is not finite tells nothing of the kernel.
        guard energy.isFinite else { return }
        let uncertain = UncertainImageLoss(loss, variance: settings.imageUncertainty * energy / present.squaredNorm)
        let weight = isCoarse ? settings.coarseEvidenceWeight : settings.evidenceWeight
        let sample: KernelSample
        if weight > 0, let witnessed = free?.witnessed(uncertain, energy: energy, weight: weight, near: present) {
            sample = search.sample(witnessed, noiseVariance: max(energy / Double(loss.count), 1e-12))
        } else {
            sample = search.sample(uncertain)
        }
        if let image { search(withFree: image, beside: sample.kernel, step: step, of: steps) }
        guard trainsNetwork else { return }
        network.zeroGradients()
        network.backward(sample.guidance(at: network.output).gradient)
        network.adamStep(learningRate: settings.networkLearningRate)
        network.forward()
        network.zeroGradients()
    }

    /// Refines the free kernel beside the chains', and has the evidence choose between them.
    private mutating func search(
        withFree image: Tensor<Float>, beside kernel: Tensor<Float>, step: Int, of steps: Int
    ) {
        guard var free else { return }
        free.observe(image)
        if Double(step) >= settings.coarseShare * Double(steps) {
            free.refine(from: kernel, progress: Double(step) / Double(steps), within: kernel)
            let isLate = Double(step) >= settings.choiceShare * Double(steps)
            if let other = free.kernel {
                choice.weigh(chains: free.score(of: kernel), free: free.score(of: other), settles: isLate)
            }
        }
        self.free = free
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
        network.adamStep(learningRate: settings.networkLearningRate)
        network.forward()
        network.zeroGradients()
    }

    func save(to snapshot: inout Snapshot) {
        if !settings.followsChains { network.save(to: &snapshot) }
        search.save(to: &snapshot)
        guard free != nil else { return }
        free?.save(to: &snapshot)
        choice.save(to: &snapshot)
    }

    mutating func restore(from snapshot: Snapshot) throws {
        if !settings.followsChains { try network.restore(from: snapshot) }
        try search.restore(from: snapshot, prior: prior)
        guard free != nil else { return }
        try free?.restore(from: snapshot)
        try choice.restore(from: snapshot)
    }
}
