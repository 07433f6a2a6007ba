import Checkpointing
import DeepImagePrior
import Degradation
import KernelPrior
import NeuralNetwork
import Tensors

/// DIP-DKP (Algorithm 2): an untrained image network and a kernel network explain one low-resolution image together,
/// while random kernel sampling pulls the kernel towards its prior.
///
/// One ``advance()`` is one update of the image network. The whole state travels through ``snapshot()``: a process
/// resumed from it computes the same bytes as one that was never stopped, on the same type of machine with the same
/// number of threads.
public final class DIPDKP: RestorationProcess {
    var settings: DIPSettings
    let network: Network
    /// The network's input, in the form in which every checkpoint shares it.
    var noise: Dataset
    let kernelPrior: KernelPrior
    private let oracleKernel: Tensor<Float>?

    var kernelNetwork: KernelNetwork
    var search: KernelSearch
    private var dataTerm: DataTerm
    var average: ImageAverage
    var best: BestOutput
    private var imageGradient: Tensor<Float>
    private var kernelGradient: Tensor<Float>

    /// The steps done.
    public internal(set) var step = 0
    /// The steps to do.
    public var totalSteps: Int { settings.steps }

    /// A process at its beginning.
    ///
    /// - Parameters:
    ///   - input: the low-resolution colour planes `[channels, height, width]` in [0, 1].
    ///   - oracleKernel: the true kernel `[n, n]`, used instead of an estimate: a bound for experiments.
    /// - Throws: ``NeuralNetworkError`` or ``KernelPriorError`` if sizes or settings do not fit.
    public init(
        input: Tensor<Float>, settings: RestorationSettings, dip: DIPSettings? = nil,
        oracleKernel: Tensor<Float>? = nil
    ) throws {
        let dip = dip ?? DIPSettings(settings)
        self.settings = dip
        self.oracleKernel = oracleKernel
        let channels = input.shape[0]
        let height = input.shape[1] * settings.scale
        let width = input.shape[2] * settings.scale

        var description = SkipNetwork()
        description.imageChannels = channels
        let (graph, output) = try description.graph(height: height, width: width)
        network = try Network(
            graph, output: output, outputActivation: .sigmoid, precision: settings.precision.resolved, training: true)
        network.initializeParameters(seed: settings.seed)
        var stream = RandomStream(seed: settings.seed, name: "dip/input")
        let noiseCount = description.inputChannels * height * width
        let noise = Tensor(
            shape: [description.inputChannels, height, width],
            (0..<noiseCount).map { _ in Float(stream.uniform() * 0.1) })
        try network.setInput(noise)
        self.noise = Dataset(noise)

        let priorSettings =
            dip.usesPaperPrior
            ? KernelPriorSettings.paper(
                family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
            : KernelPriorSettings(family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
        kernelPrior = try KernelPrior(settings: priorSettings)
        kernelNetwork = try KernelNetwork(kernelSize: kernelPrior.kernelSize, seed: settings.seed)
        search = try KernelSearch(prior: kernelPrior, settings: dip, seed: settings.seed)
        var warmUpStream = RandomStream(seed: settings.seed, name: "kernel_network/warm_up")
        let start = kernelPrior.kernel(of: kernelPrior.draw(from: &warmUpStream))
        if oracleKernel == nil && !dip.imageFollowsChains {
            kernelNetwork.warmUp(towards: start, steps: dip.kernelWarmUpSteps, rate: dip.kernelRate)
        }
        dataTerm = DataTerm(
            observed: input, scale: settings.scale, kernelSize: kernelPrior.kernelSize,
            gradientPriorWeight: dip.gradientPriorWeight)
        average = ImageAverage(shape: [channels, height, width])
        best = BestOutput(
            imageShape: [channels, height, width], kernelShape: [kernelPrior.kernelSize, kernelPrior.kernelSize])
        imageGradient = Tensor(shape: [channels, height, width])
        kernelGradient = Tensor(shape: [kernelPrior.kernelSize, kernelPrior.kernelSize])
    }

    /// The kernel that the image is restored with at present, `[n, n]`.
    public var kernel: Tensor<Float> {
        if let oracleKernel { return oracleKernel }
        if settings.imageFollowsChains, let kernel = search.last?.kernel { return kernel }
        return kernelNetwork.output
    }

    private var kernelCategory: KernelCategory? {
        oracleKernel == nil && settings.imageFollowsChains ? search.last?.category : nil
    }

    /// The image network's latest output, `[channels, s height, s width]`.
    public var image: Tensor<Float> { network.result }

    /// How many times the best error the averaged outputs' may be; healthy runs stay within a few times.
    private static let divergence = 20.0

    private var trainsKernelNetwork: Bool { oracleKernel == nil && !settings.imageFollowsChains }

    /// One step of Algorithm 2.
    public func advance() throws -> StepRecord {
        try network.forward()
        if oracleKernel == nil && step % settings.stepsPerSample == 0 { sampleKernels() }
        let usesSimilarity = Double(step) < settings.similarityShare * Double(settings.steps)
        let losses = dataTerm.evaluate(
            image: network.result, kernel: kernel, usesSimilarity: usesSimilarity, imageGradient: &imageGradient,
            kernelGradient: &kernelGradient)
        if trainsKernelNetwork { followData() }
        if Double(step) >= (1 - settings.averagedShare) * Double(settings.steps) {
            average.add(network.result, loss: losses.meanSquaredError)
        }
        best.offer(network.result, kernel, loss: losses.meanSquaredError, step: step)
        try network.backward(imageGradient)
        network.adamStep(rate: settings.imageRate(at: step))
        defer { step += 1 }
        return StepRecord(
            step: step + 1, imageLoss: losses.total, kernelLoss: losses.meanSquaredError,
            phase: usesSimilarity ? "SSIM" : "MSE")
    }

    /// Random kernel sampling with the present image, and one step of the kernel network towards what it found.
    private func sampleKernels() {
        if Double(step) >= settings.coarseShare * Double(settings.steps) { search.open(to: kernelPrior) }
        let loss = dataTerm.quadratic(of: network.result)
        let variance = settings.imageUncertainty * loss.loss(of: kernel) / kernel.squaredNorm
        let sample = search.sample(UncertainImageLoss(loss, variance: variance))
        guard trainsKernelNetwork else { return }
        kernelNetwork.zeroGradients()
        kernelNetwork.backward(sample.guidance(at: kernelNetwork.output).gradient)
        kernelNetwork.adamStep(rate: settings.kernelRate)
        kernelNetwork.forward()
        kernelNetwork.zeroGradients()
    }

    /// The kernel network's part of Equation 12 that comes from the data.
    private func followData() {
        if settings.centroidWeight > 0 {
            let penalty = CentroidPenalty.value(
                of: kernelNetwork.output, centre: kernelPrior.settings.centrePosition
            ).gradient
            let weight = Float(settings.centroidWeight)
            kernelGradient.withUnsafeMutableBufferPointer { gradient in
                penalty.withUnsafeBufferPointer { penalty in
                    for index in 0..<gradient.count { gradient[index] += weight * penalty[index] }
                }
            }
        }
        kernelNetwork.backward(kernelGradient)
        guard (step + 1) % settings.stepsPerKernelUpdate == 0 else { return }
        kernelNetwork.adamStep(rate: settings.kernelRate)
        kernelNetwork.forward()
        kernelNetwork.zeroGradients()
    }

    /// The restored image and kernel at present: the average of the last outputs where there is one.
    public func estimate() throws -> RestorationEstimate {
        guard let image = average.image else {
            try network.forward()
            return RestorationEstimate(image: network.result, kernel: kernel, kernelCategory: kernelCategory)
        }
        if average.lossSum / Double(average.count) > Self.divergence * best.loss {
            return RestorationEstimate(
                image: best.image, kernel: best.kernel, kernelCategory: kernelCategory,
                note: "the image network diverged after step \(best.step + 1): the result is that step's output")
        }
        return RestorationEstimate(image: image, kernel: kernel, kernelCategory: kernelCategory)
    }
}
