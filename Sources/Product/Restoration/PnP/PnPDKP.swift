import Degradation
import Diffusion
public import Jobs
import KernelFamilies
import KernelPrior
public import Tensors

/// PnP-DKP: DIP-DKP finds the kernel, a trained denoiser makes the picture, and the picture improves the kernel.
///
/// The search for the kernel ends as soon as it has come to rest, with a Gaussian and, in the family `auto`, a kernel of
/// no family; then rounds of half-quadratic splitting with either follow, a choice, and a last denoising. One
/// ``advance()`` is one step of either. The whole state but the weights travels through ``snapshot()``: a process resumed
/// from it computes the same bytes as one that was never stopped, on the same type of machine with the same number of
/// threads.
public final class PnPDKP: RestorationProcess {
    let input: Tensor<Float>
    let restoration: RestorationSettings
    let settings: PnPSettings
    let prior: TrainedPrior
    private let oracleKernel: Tensor<Float>?
    private let kernelSettings: KernelPriorSettings
    private let margin: Int
    let kernelSize: Int

    /// The search; nil when it is over.
    var search: DIPDKP?
    var convergence: KernelConvergence
    /// What comes after the search; nil before.
    var rounds: RestorationRounds?
    /// The steps that the search took, or will take at the most.
    var searchSteps: Int
    /// How far the search's chains were apart at its end; nil where there were none.
    var spread: Double?

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
    ///   - margin: the input's rows and columns at each side that were not observed.
    /// - Throws: ``RestorationError`` if the model does not suit the input or the settings, and what ``DIPDKP`` throws.
    public convenience init(
        input: Tensor<Float>, settings: RestorationSettings, prior: TrainedPrior, pnp: PnPSettings? = nil,
        oracleKernel: Tensor<Float>? = nil, margin: Int = 0
    ) throws {
        try self.init(
            configured: input, settings: settings, prior: prior, pnp: pnp, oracleKernel: oracleKernel, margin: margin)
        if let oracleKernel {
            try makeRounds(extent: nil).begin(
                with: [KernelHypothesis(kernel: oracleKernel, category: nil, isRefined: false)])
        } else {
            search = try DIPDKP(input: input, settings: settings, dip: self.settings.search)
        }
    }

    /// A process that neither searches nor splits yet.
    init(
        configured input: Tensor<Float>, settings: RestorationSettings, prior: TrainedPrior, pnp: PnPSettings?,
        oracleKernel: Tensor<Float>?, margin: Int
    ) throws {
        guard input.shape[0] == prior.channels || input.shape[0] == 1 else {
            throw RestorationError(
                .badInput, "the image has \(input.shape[0]) colour channels, \(prior.name) has \(prior.channels)",
                remedy: "take a model for colour images")
        }
        kernelSettings = KernelPriorSettings(
            family: settings.kernelFamily, scale: settings.scale, centre: settings.kernelCentre)
        let size = oracleKernel?.shape[0] ?? kernelSettings.kernelSize
        guard size % 2 == 1, size <= Self.largestKernel, oracleKernel.map({ $0.shape == [size, size] }) ?? true else {
            throw RestorationError(
                .badInput, "a kernel of shape \(oracleKernel?.shape ?? [])",
                remedy: "give a square one of an odd size up to \(Self.largestKernel)")
        }
        self.input = input
        self.margin = margin
        kernelSize = size
        self.restoration = settings
        var numbers = pnp ?? PnPSettings(settings)
        numbers.dataStandardDeviation = max(numbers.dataStandardDeviation, settings.noiseStandardDeviation(of: input))
        self.settings = numbers
        self.prior = prior
        self.oracleKernel = oracleKernel
        searchSteps = oracleKernel == nil ? self.settings.search.steps : 0
        convergence = KernelConvergence(self.settings.convergence, steps: searchSteps)
    }

    /// The largest kernel that the forward model takes.
    private static let largestKernel = 63

    /// The steps of the rounds, the last denoising included; before they begin, the most that there can be.
    private var splittingSteps: Int {
        if let rounds { return rounds.totalSteps }
        guard oracleKernel == nil else { return RestorationRounds.steps(settings, hypotheses: 1, refines: false) }
        let isAuto = restoration.kernelFamily == .auto && settings.search.kernelEstimation.followsChains
        return RestorationRounds.steps(
            settings, hypotheses: isAuto ? 2 : 1,
            refines: KernelHypothesis.canBeRefined(restoration.kernelFamily, settings.search.kernelEstimation))
    }

    /// The kernel that the image is restored with at present, `[n, n]`.
    public var kernel: Tensor<Float> {
        rounds?.kernel ?? search?.kernel ?? Tensor(shape: [kernelSize, kernelSize])
    }

    /// Opens the trained model and makes the rounds ready to begin.
    @discardableResult
    func makeRounds(extent: KernelExtent?) throws -> RestorationRounds {
        // Before the model is opened: the two need not be in memory at once.
        search = nil
        let rounds = try RestorationRounds(
            prior.open(), input: input, margin: margin, kernelSize: kernelSize, restoration: restoration,
            extent: extent, settings: settings)
        self.rounds = rounds
        return rounds
    }

    /// The kernels that a search ended with: the chains', and a free one where it leads.
    private func hypotheses(of search: DIPDKP) -> [KernelHypothesis] {
        let leading = KernelHypothesis(kernel: search.kernel, category: search.category)
        let estimator = search.estimator
        guard restoration.kernelFamily == .auto, search.category == .free, let kernel = estimator.chainsKernel,
            let category = estimator.chainsCategory
        else { return [leading] }
        return [KernelHypothesis(kernel: kernel, category: category), leading]
    }

    /// One step of the search, or of the splitting.
    public func advance() throws -> StepRecord {
        if let search { return try advance(search) }
        guard let rounds else { preconditionFailure("a process either searches or restores") }
        step += 1
        let (imageLoss, kernelLoss, phase) = try rounds.advance()
        return StepRecord(step: step, imageLoss: imageLoss, kernelLoss: kernelLoss, phase: phase)
    }

    private func advance(_ search: DIPDKP) throws -> StepRecord {
        var record = try search.advance()
        step = search.step
        record.phase = "finding the kernel"
        convergence.observe(search.kernel, step: step)
        if convergence.hasConverged || step == search.totalSteps {
            searchSteps = step
            let hypotheses = hypotheses(of: search)
            let extent = search.estimator.chainsKernel.map { KernelExtent($0, centre: kernelSettings.centrePosition) }
            spread = search.estimator.confidence?.spread
            try makeRounds(extent: extent).begin(with: hypotheses)
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
    private static let splittingStepCost = 5.0

    /// The restored image and kernel at present.
    public func estimate() throws -> RestorationEstimate {
        if let search { return try search.estimate() }
        guard let rounds else { preconditionFailure("a process either searches or restores") }
        let image = rounds.image.clipped
        let comparison = rounds.comparison
        return RestorationEstimate(
            image: input.shape[0] == 1 ? image.channelMean() : image, kernel: rounds.kernel,
            kernelCategory: rounds.category,
            kernelConfidence: spread.map {
                KernelConfidence(
                    runnerUp: comparison?.runnerUp, margin: nil, spread: $0, energyRatio: comparison?.energyRatio)
            })
    }
}
