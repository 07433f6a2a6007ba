import Degradation
import Diffusion
import Jobs
import KernelFamilies
import KernelPrior
public import Tensors

/// PnP-DKP: DIP-DKP finds the kernel, a trained denoiser makes the picture, and the picture improves the kernel.
///
/// The search for the kernel ends as soon as it has come to rest; then rounds of half-quadratic splitting follow, and a
/// last denoising. One ``advance()`` is one step of either. The whole state but the weights travels through
/// ``snapshot()``: a process resumed from it computes the same bytes as one that was never stopped, on the same type of
/// machine with the same number of threads.
public final class PnPDKP: RestorationProcess {
    let input: Tensor<Float>
    let restoration: RestorationSettings
    let settings: PnPSettings
    let prior: TrainedPrior
    private let oracleKernel: Tensor<Float>?
    private let kernelSettings: KernelPriorSettings

    /// The search; nil when it is over.
    var search: DIPDKP?
    var settling: KernelSettling
    /// What comes after the search; nil before.
    var splitting: HalfQuadraticSplitting?
    /// The steps that the search took, or will take at the most.
    var searchSteps: Int
    /// What the search took the kernel for.
    var category: KernelCategory?

    /// The steps done.
    public internal(set) var step = 0
    /// The steps to do; fewer than at first once the search has ended early.
    public var totalSteps: Int { searchSteps + splittingSteps }

    /// A process at its beginning.
    ///
    /// - Parameters:
    ///   - input: the low-resolution colour planes `[channels, height, width]` in [0, 1]. One plane stands for as many
    ///     as the network has.
    ///   - prior: the trained model, opened when the search is over.
    ///   - oracleKernel: the true kernel `[n, n]`, used instead of an estimate: a bound for experiments.
    /// - Throws: ``RestorationError`` if the model does not suit the input or the settings, and what ``DIPDKP`` throws.
    public convenience init(
        input: Tensor<Float>, settings: RestorationSettings, prior: TrainedPrior, pnp: PnPSettings? = nil,
        oracleKernel: Tensor<Float>? = nil
    ) throws {
        try self.init(configured: input, settings: settings, prior: prior, pnp: pnp, oracleKernel: oracleKernel)
        if let oracleKernel {
            try beginSplitting(with: oracleKernel)
        } else {
            search = try DIPDKP(input: input, settings: settings, dip: self.settings.search)
        }
    }

    /// A process that neither searches nor splits yet.
    init(
        configured input: Tensor<Float>, settings: RestorationSettings, prior: TrainedPrior, pnp: PnPSettings?,
        oracleKernel: Tensor<Float>?
    ) throws {
        guard input.shape[0] == prior.channels || input.shape[0] == 1 else {
            throw RestorationError(
                .badInput, "the image has \(input.shape[0]) colour channels, \(prior.name) has \(prior.channels)",
                remedy: "take a model for colour images")
        }
        kernelSettings = KernelPriorSettings(
            family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
        let size = kernelSettings.kernelSize
        if let oracleKernel, oracleKernel.shape != [size, size] {
            throw RestorationError(
                .badInput,
                "an oracle kernel of shape \(oracleKernel.shape), at scale \(settings.scale) kernels are \(size) x \(size)",
                remedy: "give a kernel of that size")
        }
        self.input = input
        self.restoration = settings
        var numbers = pnp ?? PnPSettings(settings)
        numbers.dataDeviation = max(numbers.dataDeviation, settings.noiseDeviation(of: input))
        self.settings = numbers
        self.prior = prior
        self.oracleKernel = oracleKernel
        searchSteps = oracleKernel == nil ? self.settings.search.steps : 0
        settling = KernelSettling(self.settings.settling, steps: searchSteps)
    }

    var kernelSize: Int { kernelSettings.kernelSize }
    private var splittingSteps: Int { (oracleKernel == nil ? settings.rounds : 1) * settings.stepsPerRound + 1 }

    /// The kernel that the image is restored with at present, `[n, n]`.
    public var kernel: Tensor<Float> {
        splitting?.kernel ?? search?.kernel ?? Tensor(shape: [kernelSize, kernelSize])
    }

    /// Opens the trained model and makes the splitting ready for its first round.
    func beginSplitting(with kernel: Tensor<Float>) throws {
        // Before the model is opened: the two need not be in memory at once.
        search = nil
        let model = try prior.open()
        let scale = restoration.scale
        let channels = model.predictor.channels
        let denoiser = try model.denoiser(
            height: input.shape[1] * scale, width: input.shape[2] * scale, label: restoration.classLabel)
        splitting = try HalfQuadraticSplitting(
            observed: input.shape[0] == channels ? input : input.replicated(channels), scale: scale, denoiser: denoiser,
            kernel: kernel, centre: kernelSettings.centrePosition, refinesKernel: oracleKernel == nil,
            seed: restoration.seed, settings: settings)
    }

    /// One step of the search, or of the splitting.
    public func advance() throws -> StepRecord {
        if let search { return try advance(search) }
        guard let splitting else { preconditionFailure("a process either searches or splits") }
        let index = step - searchSteps
        step += 1
        guard index < splittingSteps - 1 else {
            let loss = try splitting.finish()
            return StepRecord(step: step, imageLoss: loss, kernelLoss: .nan, phase: "last denoising")
        }
        let (round, place) = (index / settings.stepsPerRound, index % settings.stepsPerRound)
        let (imageLoss, kernelLoss) = try splitting.advance(place, ofRound: round)
        return StepRecord(
            step: step, imageLoss: imageLoss, kernelLoss: kernelLoss, phase: "restoring, round \(round + 1)")
    }

    private func advance(_ search: DIPDKP) throws -> StepRecord {
        var record = try search.advance()
        step = search.step
        record.phase = "finding the kernel"
        settling.observe(search.kernel, step: step)
        if settling.isSettled || step == search.totalSteps {
            searchSteps = step
            category = search.category
            try beginSplitting(with: search.kernel)
        }
        return record
    }

    /// The steps still to do, a step of the splitting counting for as much longer as it takes than one of the search,
    /// while that is under way.
    public var remainingWork: Double {
        guard search != nil else { return Double(totalSteps - step) }
        return Double(searchSteps - step) + Self.splittingStepCost * Double(splittingSteps)
    }

    /// How much longer a step of the splitting takes than one of the search: about, on the machines seen.
    private static let splittingStepCost = 2.0

    /// The restored image and kernel at present.
    public func estimate() throws -> RestorationEstimate {
        if let search { return try search.estimate() }
        guard let splitting else { preconditionFailure("a process either searches or splits") }
        let image = splitting.image.clipped
        return RestorationEstimate(
            image: input.shape[0] == 1 ? image.channelMean() : image, kernel: splitting.kernel,
            kernelCategory: category)
    }
}
