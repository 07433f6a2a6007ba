import Checkpointing
import DeepImagePrior
import Degradation
public import Jobs
import KernelFamilies
import KernelPrior
import NeuralNetwork
public import Tensors

/// DIP-DKP (Algorithm 2): an untrained image network and a kernel network explain one low-resolution image together,
/// while random kernel sampling pulls the kernel towards its prior.
///
/// One ``advance()`` is one update of the image network. The whole state travels through ``snapshot()``: a process
/// resumed from it computes the same bytes as one that was never stopped, on the same type of machine with the same
/// number of threads.
public final class DIPDKP: RestorationProcess {
    let settings: DIPSettings
    let network: Network
    /// The network's input, in the form in which every checkpoint shares it.
    var noise: Dataset
    var estimator: KernelEstimator
    private var dataTerm: DataTerm
    var average: ImageAverage
    var best: BestOutput
    private var imageGradient: Tensor<Float>
    private var kernelGradient: Tensor<Float>
    /// The input's noise, squared; 0 where there is none to speak of.
    private let noiseVariance: Double

    /// The steps done.
    public internal(set) var step = 0
    /// The steps to do.
    ///
    /// Fewer than the settings' once the noise is all that is left to explain: whatever comes after would paint it.
    public var totalSteps: Int { isExplained ? step : settings.steps }
    /// Whether the blurred image has come as near to the input as its noise is large.
    var isExplained = false

    /// A process at its beginning.
    ///
    /// - Parameters:
    ///   - input: the low-resolution colour planes `[channels, height, width]` in [0, 1].
    ///   - oracleKernel: the true kernel `[n, n]`, used instead of an estimate: a bound for experiments.
    /// - Throws: ``NeuralNetworkError`` or ``KernelPriorError`` if sizes or settings do not fit.
    public convenience init(
        input: Tensor<Float>, settings: RestorationSettings, dip: DIPSettings? = nil,
        oracleKernel: Tensor<Float>? = nil
    ) throws {
        try self.init(input: input, settings: settings, dip: dip, oracleKernel: oracleKernel, warmsUp: true)
    }

    init(
        input: Tensor<Float>, settings: RestorationSettings, dip: DIPSettings?, oracleKernel: Tensor<Float>?,
        warmsUp: Bool
    ) throws {
        let dip = dip ?? DIPSettings(settings)
        self.settings = dip
        let channels = input.shape[0]
        let height = input.shape[1] * settings.scale
        let width = input.shape[2] * settings.scale

        var description = SkipNetwork()
        description.imageChannels = channels
        description.channels = dip.channels
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

        let noiseStandardDeviation = settings.noiseStandardDeviation(of: input)
        noiseVariance = noiseStandardDeviation * noiseStandardDeviation
        estimator = try KernelEstimator(
            dip.kernelEstimation, for: settings, oracleKernel: oracleKernel, warmsUp: warmsUp, observed: input,
            noise: noiseStandardDeviation)
        let kernelSize = estimator.prior.kernelSize
        dataTerm = DataTerm(
            observed: input, scale: settings.scale, kernelSize: kernelSize,
            squaredErrorWeight: dip.squaredErrorWeight, gradientPriorWeight: dip.gradientPriorWeight)
        average = ImageAverage(shape: [channels, height, width])
        best = BestOutput(imageShape: [channels, height, width], kernelShape: [kernelSize, kernelSize])
        imageGradient = Tensor(shape: [channels, height, width])
        kernelGradient = Tensor(shape: [kernelSize, kernelSize])
    }

    /// The kernel that the image is restored with at present, `[n, n]`.
    public var kernel: Tensor<Float> { estimator.kernel }

    /// What the kernel is taken for, where its search tells.
    var category: KernelCategory? { estimator.category }

    /// The image network's latest output, `[channels, s height, s width]`.
    public var image: Tensor<Float> { network.result }

    /// How many times the best error the averaged outputs' may be; healthy runs stay within a few times.
    private static let divergence = 20.0

    /// From this many times the noise on, outputs are averaged, as the noise is about to be reached.
    private static let nearlyExplained = 1.3

    /// One step of Algorithm 2.
    public func advance() throws -> StepRecord {
        try network.forward()
        if estimator.isSearching && step % settings.stepsPerSample == 0 {
            estimator.sample(
                dataTerm.quadratic(of: network.result), image: network.result, step: step, of: settings.steps)
        }
        let usesSimilarity = Double(step) < settings.similarityShare * Double(settings.steps)
        let losses = dataTerm.evaluate(
            image: network.result, kernel: kernel, usesSimilarity: usesSimilarity, imageGradient: &imageGradient,
            kernelGradient: &kernelGradient)
        if estimator.trainsNetwork, losses.total.isFinite {
            estimator.follow(dataGradient: &kernelGradient)
            if (step + 1) % settings.stepsPerKernelUpdate == 0 { estimator.stepNetwork() }
        }
        let isNearlyExplained = losses.meanSquaredError < Self.nearlyExplained * noiseVariance
        if Double(step) >= (1 - settings.averagedShare) * Double(settings.steps)
            || (isNearlyExplained && settings.averagedShare > 0)
        {
            average.add(network.result, loss: losses.meanSquaredError)
        }
        best.offer(network.result, kernel, loss: losses.meanSquaredError, step: step)
        defer { step += 1 }
        isExplained = losses.meanSquaredError < noiseVariance
        // Gradients that are not finite would only spoil the parameters as well.
        if losses.total.isFinite {
            try network.backward(imageGradient)
            network.adamStep(learningRate: settings.imageLearningRate(at: step))
        }
        return StepRecord(
            step: step + 1, imageLoss: losses.total, kernelLoss: losses.meanSquaredError,
            phase: usesSimilarity ? "SSIM" : "MSE")
    }

    /// The restored image and kernel at present: the average of the last outputs where there is one; the best output where
    /// the network has diverged.
    /// - Throws: ``RestorationError`` with code `notFinite` if no output ever was finite.
    public func estimate() throws -> RestorationEstimate {
        let image: Tensor<Float>
        // Asked so that a loss that is not a number counts as divergence.
        var isSound = step == 0 || best.loss.isFinite
        if let mean = average.image {
            image = mean
            isSound = average.lossSum / Double(average.count) <= Self.divergence * best.loss
        } else {
            try network.forward()
            image = network.result
        }
        if isSound, image.isFinite, kernel.isFinite {
            return RestorationEstimate(
                image: image, kernel: kernel, kernelCategory: estimator.category,
                kernelConfidence: estimator.confidence)
        }
        guard best.loss.isFinite else {
            throw RestorationError(
                .notFinite, "the image network gave numbers that are not finite at every step",
                remedy: "try another seed, or precision f32")
        }
        return RestorationEstimate(
            image: best.image, kernel: best.kernel, kernelCategory: estimator.category,
            kernelConfidence: estimator.confidence,
            note: "the image network diverged after step \(best.step + 1): the result is that step's output")
    }
}
