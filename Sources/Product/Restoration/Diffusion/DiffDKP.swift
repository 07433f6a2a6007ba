import Degradation
import Diffusion
public import Jobs
import KernelFamilies
import KernelPrior
public import Tensors

/// Diff-DKP (Algorithm 3): a fixed, trained diffusion model restores the image while the kernel is found beside it, from
/// the low-resolution image alone.
///
/// The reverse process ends with a sample of the model; unless the settings leave it out, a splitting with the same model
/// and the kernel found follows, which seeks the mean. One ``advance()`` is one step of either. The whole state but the
/// weights travels through ``snapshot()``: a process resumed from it computes the same bytes as one that was never
/// stopped, on the same type of machine with the same number of threads.
public final class DiffDKP: RestorationProcess {
    let settings: DiffusionSettings
    private let restoration: RestorationSettings
    let model: DiffusionModel
    let schedule: NoiseSchedule
    let canvas: Canvas
    private let predictor: TiledPredictor
    private let label: Int?
    private let isGray: Bool

    private let observed: Tensor<Float>
    private let margin: Int
    private let consistency: any DataConsistency
    private var degradation: DegradationOperator
    private var form: KernelQuadratic
    private var kernelGradient: Tensor<Float>
    private var blurred: Tensor<Float>

    var estimator: KernelEstimator
    /// x_t on the canvas, in the network's units.
    var noisy: Tensor<Float>
    var noise: RandomStream
    /// The last data-consistent image, for whoever looks before the end.
    private var clean: Tensor<Float>?
    /// What comes after the reverse process; nil before, or where nothing does.
    var rounds: RestorationRounds?

    /// The steps done.
    public internal(set) var step = 0
    /// The steps to do; fewer than at first where the kernel found is one that the splitting does not refine.
    public var totalSteps: Int { schedule.count + endingSteps }

    private var endingSteps: Int {
        if let rounds { return rounds.totalSteps }
        guard let ending = settings.ending else { return 0 }
        let canBeRefined = KernelHypothesis.canBeRefined(restoration.kernelFamily, estimator.settings)
        return RestorationRounds.steps(ending, hypotheses: 1, refines: estimator.isSearching && canBeRefined)
    }

    /// A process at its beginning.
    ///
    /// - Parameters:
    ///   - input: the low-resolution colour planes `[channels, height, width]` in [0, 1]. One plane stands for as many
    ///     as the network has.
    ///   - model: the diffusion model.
    ///   - oracleKernel: the true kernel `[n, n]`, used instead of an estimate: a bound for experiments.
    ///   - margin: the input's rows and columns at each side that were not observed.
    /// - Throws: ``RestorationError`` if the model does not suit the input or the settings, `DiffusionError`,
    ///   `KernelPriorError` or `LibraryError`.
    public convenience init(
        input: Tensor<Float>, settings: RestorationSettings, model: DiffusionModel,
        diffusion: DiffusionSettings? = nil, oracleKernel: Tensor<Float>? = nil, margin: Int = 0
    ) throws {
        try self.init(
            input: input, settings: settings, model: model, diffusion: diffusion, oracleKernel: oracleKernel,
            margin: margin, warmsUp: true)
    }

    init(
        input: Tensor<Float>, settings: RestorationSettings, model: DiffusionModel, diffusion: DiffusionSettings?,
        oracleKernel: Tensor<Float>?, margin: Int, warmsUp: Bool
    ) throws {
        var diffusion = diffusion ?? DiffusionSettings(settings)
        let inputNoise = settings.noiseStandardDeviation(of: input)
        if let ending = diffusion.ending {
            diffusion.ending?.dataStandardDeviation = max(ending.dataStandardDeviation, inputNoise)
        }
        let channels = model.predictor.channels
        guard input.shape[0] == channels || input.shape[0] == 1 else {
            throw RestorationError(
                .badInput, "the image has \(input.shape[0]) colour channels, \(model.name) has \(channels)",
                remedy: "take a model for colour images")
        }
        self.settings = diffusion
        restoration = settings
        self.model = model
        label = try model.checkedLabel(settings.classLabel)
        schedule = try NoiseSchedule(model.description, respacing: Respacing(steps: diffusion.steps))
        predictor = model.tiled
        isGray = input.shape[0] == 1
        self.margin = margin
        observed = isGray ? input.replicated(channels) : input

        let scale = settings.scale
        let (height, width) = (input.shape[1] * scale, input.shape[2] * scale)
        canvas = Canvas(imageHeight: height, imageWidth: width, least: model.imageSize)
        estimator = try KernelEstimator(
            diffusion.kernelEstimation, for: settings, oracleKernel: oracleKernel, warmsUp: warmsUp, observed: input,
            noise: inputNoise)
        let size = estimator.prior.kernelSize
        consistency =
            switch diffusion.dataConsistency {
            case .proximal:
                try ProximalConsistency(
                    observed: observed, margin: margin, scale: scale, kernelSize: size)
            case .gradient: GradientConsistency(observed: observed, scale: scale, kernelSize: size)
            }
        degradation = DegradationOperator(scale: scale, kernelSize: size, height: height, width: width)
        form = KernelQuadratic(scale: scale, kernelSize: size, height: height, width: width, channels: channels)
        kernelGradient = Tensor(shape: [size, size])
        blurred = Tensor(shape: observed.shape)

        noise = RandomStream(seed: settings.seed, name: "diffusion/noise")
        noisy = .standardNormal(shape: [channels, canvas.height, canvas.width], from: &noise)
    }

    /// The kernel that the image is restored with at present, `[n, n]`.
    public var kernel: Tensor<Float> { rounds?.kernel ?? estimator.kernel }

    /// One step of Algorithm 3, or of the splitting.
    /// - Throws: ``RestorationError`` with code `notFinite`; what the network throws.
    public func advance() throws -> StepRecord {
        if let rounds {
            let (imageLoss, kernelLoss, phase) = try rounds.advance()
            step += 1
            return StepRecord(step: step, imageLoss: imageLoss, kernelLoss: kernelLoss, phase: phase)
        }
        let record = try reverse()
        if step == schedule.count { try makeRounds()?.begin(with: [hypothesis]) }
        return record
    }

    /// What the reverse process found.
    private var hypothesis: KernelHypothesis {
        guard estimator.isSearching else {
            return KernelHypothesis(kernel: estimator.kernel, category: nil, isRefined: false)
        }
        return KernelHypothesis(kernel: estimator.kernel, category: estimator.category)
    }

    /// Makes the rounds ready to begin, where there are any.
    @discardableResult
    func makeRounds() throws -> RestorationRounds? {
        guard let ending = settings.ending else { return nil }
        rounds = try RestorationRounds(
            model, input: observed, margin: margin, kernelSize: estimator.prior.kernelSize, restoration: restoration,
            extent: estimator.chainsKernel.map { KernelExtent($0, centre: estimator.prior.settings.centrePosition) },
            settings: ending)
        return rounds
    }

    private func reverse() throws -> StepRecord {
        let level = schedule.count - 1 - step
        let prediction = try NoisePrediction(of: noisy, at: schedule.timesteps[level], by: predictor, label: label)
        let predicted = schedule.cleanImage(of: noisy, prediction, at: level)
        let image = canvas.image(of: predicted).map { 0.5 * ($0 + 1) }

        form.update(image: image, observed: observed)
        if estimator.isSearching { estimateKernel() }
        let kernelLoss = form.loss(of: kernel) / Double(form.count)

        let consistent = consistency.consistent(
            image, kernel: kernel, weight: settings.weight(atNoiseLevel: schedule.noiseLevel(at: level)))
        degradation.apply(image: consistent, kernel: kernel, into: &blurred)
        let imageLoss = meanSquaredError(blurred, observed)
        // What comes of such an image is of the same kind, to the end.
        guard imageLoss.isFinite, kernelLoss.isFinite else {
            throw RestorationError(
                .notFinite, "step \(step + 1) of the reverse process came to numbers that are not finite",
                remedy: "try another seed, or precision f32")
        }

        noisy = schedule.previousImage(
            from: noisy, clean: canvas.filled(with: consistent.map { 2 * $0 - 1 }), prediction, at: level,
            sampler: settings.sampler, noise: &noise)
        clean = consistent
        step += 1
        return StepRecord(step: step, imageLoss: imageLoss, kernelLoss: kernelLoss, phase: "denoising")
    }

    /// Random kernel sampling and the kernel network's updates with the present image (Equations 3 to 13).
    private func estimateKernel() {
        for _ in 0..<settings.samplesPerStep {
            estimator.sample(form, step: step, of: schedule.count)
            guard estimator.trainsNetwork else { continue }
            for _ in 0..<settings.networkUpdatesPerSample {
                form.gradient(at: estimator.networkKernel, into: &kernelGradient)
                let mean = 1 / Float(form.count)
                kernelGradient = kernelGradient.map { mean * $0 }
                estimator.follow(dataGradient: &kernelGradient)
                estimator.stepNetwork()
            }
        }
    }

    /// The restored image and kernel at present.
    public func estimate() throws -> RestorationEstimate {
        let image = rounds?.image ?? sample
        let clipped = image.map { min(max($0, 0), 1) }
        return RestorationEstimate(
            image: isGray ? clipped.channelMean() : clipped, kernel: kernel, kernelCategory: estimator.category,
            kernelConfidence: estimator.confidence)
    }

    /// The data-consistent image of the last step, and at the end of the reverse process the sample itself.
    private var sample: Tensor<Float> {
        if step < schedule.count, let clean { return clean }
        return canvas.image(of: noisy).map { 0.5 * ($0 + 1) }
    }
}
