import Checkpointing
import Diffusion
import Jobs
import KernelFamilies
import KernelPrior
import Tensors

/// A kernel that a search proposes.
struct KernelHypothesis {
    var kernel: Tensor<Float>
    /// What it was taken for; nil for a kernel that was given or came from a network.
    var category: KernelCategory?
    /// Whether the image refines it. A kernel of few parameters, found with the image integrated out, is better than
    /// what one image says of its taps.
    var isRefined: Bool

    /// A kernel as given.
    init(kernel: Tensor<Float>, category: KernelCategory?, isRefined: Bool) {
        self.kernel = kernel
        self.category = category
        self.isRefined = isRefined
    }

    /// A kernel that a search ended with.
    init(kernel: Tensor<Float>, category: KernelCategory?) {
        self.init(kernel: kernel, category: category, isRefined: category != .gaussian)
    }

    /// Whether a search of that kind can end with a kernel that the image refines.
    static func canBeRefined(_ family: KernelFamily, _ search: KernelEstimationSettings) -> Bool {
        family != .gaussian || !search.followsChains
    }
}

/// The rounds of half-quadratic splitting: one with each kernel that the search proposes, a choice by the prior's energy,
/// further ones where the chosen kernel is refined, and a last denoising.
final class RestorationRounds {
    /// What a round ended with.
    private struct Outcome {
        var hypothesis: Int
        var image: Tensor<Float>
        var kernel: Tensor<Float>
        var energy: Double
    }

    private let settings: PnPSettings
    private let splitting: HalfQuadraticSplitting
    /// Of the Gaussians that were looked for.
    private let largestVariance: Double
    private var hypotheses: [KernelHypothesis] = []
    /// The best of the rounds with one hypothesis each that are over.
    private var best: Outcome?
    /// The energy of the round that lost against ``best``; nil before there were two.
    private var otherEnergy: Double?
    /// The steps done, the last denoising included.
    private(set) var step = 0

    /// Rounds that are ready to begin.
    /// - Parameters:
    ///   - model: the trained model that denoises.
    ///   - input: the low-resolution colour planes `[channels, height, width]`; one plane stands for as many as the network has.
    ///   - margin: the input's rows and columns at each side that were not observed.
    ///   - kernelSize: n.
    ///   - restoration: the user's settings.
    ///   - extent: how far a refined kernel should reach; nil leaves that to the image.
    /// - Throws: ``RestorationError`` for a label that does not suit the network; `DiffusionError`, `LibraryError`.
    init(
        _ model: DiffusionModel, input: Tensor<Float>, margin: Int, kernelSize: Int, restoration: RestorationSettings,
        extent: KernelExtent?, settings: PnPSettings
    ) throws {
        let scale = restoration.scale
        let channels = model.predictor.channels
        let denoiser = try model.denoiser(
            height: input.shape[1] * scale, width: input.shape[2] * scale, label: restoration.classLabel)
        let kernelSettings = KernelPriorSettings(
            family: restoration.kernelFamily, scale: scale, centre: restoration.kernelCentre)
        largestVariance = kernelSettings.gaussianVariances.upperBound
        splitting = try HalfQuadraticSplitting(
            observed: input.shape[0] == channels ? input : input.replicated(channels), margin: margin, scale: scale,
            denoiser: denoiser, kernelSize: kernelSize, centre: kernelSettings.centrePosition,
            extent: extent, seed: restoration.seed, settings: settings)
        self.settings = settings
    }

    /// The steps of rounds for hypotheses of which the last, if any, is refined.
    static func steps(_ settings: PnPSettings, hypotheses: Int, refines: Bool) -> Int {
        (hypotheses + (refines ? settings.furtherRounds : 0)) * settings.stepsPerRound + 1
    }

    /// Begins with the most careful hypothesis first: the others have to be better by a margin.
    func begin(with hypotheses: [KernelHypothesis]) {
        self.hypotheses = hypotheses
        beginRound(0)
    }

    /// The steps to do; fewer than at first once a kernel was chosen that needs no refinement.
    var totalSteps: Int {
        let refines = chosen.map { hypotheses[$0].isRefined } ?? hypotheses.contains(where: \.isRefined)
        return Self.steps(settings, hypotheses: hypotheses.count, refines: refines)
    }

    var image: Tensor<Float> { splitting.image }
    var kernel: Tensor<Float> { splitting.kernel }

    /// The hypothesis that was chosen; nil before.
    private var chosen: Int? { step >= hypotheses.count * settings.stepsPerRound ? best?.hypothesis : nil }

    /// What the present kernel is taken for.
    var category: KernelCategory? {
        let present = chosen ?? min(step / settings.stepsPerRound, hypotheses.count - 1)
        return hypotheses.indices.contains(present) ? hypotheses[present].category : nil
    }

    /// What was not chosen, and how much less energy the chosen kernel's image has; nil where there was no choice.
    var comparison: (runnerUp: KernelCategory?, energyRatio: Double)? {
        guard let chosen, let best, let otherEnergy, hypotheses.count == 2 else { return nil }
        return (hypotheses[1 - chosen].category, best.energy / max(otherEnergy, .leastNormalMagnitude))
    }

    /// One step.
    func advance() throws -> (imageLoss: Double, kernelLoss: Double, phase: String) {
        let (round, place) = (step / settings.stepsPerRound, step % settings.stepsPerRound)
        guard step < totalSteps - 1 else {
            step += 1
            return (try splitting.finish(), .nan, "last denoising")
        }
        let losses = try splitting.advance(place, ofRound: round)
        step += 1
        if place == settings.stepsPerRound - 1 { endRound(round) }
        return (losses.imageLoss, losses.kernelLoss, "restoring, round \(round + 1)")
    }

    private func endRound(_ round: Int) {
        if round < hypotheses.count {
            let outcome = Outcome(
                hypothesis: round, image: splitting.image, kernel: splitting.kernel, energy: splitting.energy)
            if let best {
                let ratio = settings.greatestEnergyRatio(
                    beside: hypotheses[best.hypothesis].kernel, largestVariance: largestVariance)
                let isBetter = outcome.energy < ratio * best.energy
                otherEnergy = isBetter ? best.energy : outcome.energy
                if isBetter { self.best = outcome }
            } else {
                best = outcome
            }
        }
        if step < totalSteps - 1 {
            beginRound(round + 1)
        } else if round < hypotheses.count, let best {
            splitting.resume(image: best.image, kernel: best.kernel)
        }
    }

    private func beginRound(_ round: Int) {
        if round < hypotheses.count {
            splitting.beginRound(with: hypotheses[round].kernel, refinesKernel: hypotheses[round].isRefined)
        } else if round == hypotheses.count, let best {
            splitting.beginRound(with: best.kernel, refinesKernel: true)
        } else {
            splitting.beginRound(with: splitting.kernel, refinesKernel: true)
        }
    }

    // MARK: Checkpoints

    func save(to snapshot: inout Snapshot) {
        snapshot.setAttribute("pnp/rounds_step", step)
        snapshot.setAttribute("pnp/hypotheses", hypotheses.count)
        for (index, hypothesis) in hypotheses.enumerated() {
            snapshot.set("pnp/hypothesis_\(index)/kernel", hypothesis.kernel)
            snapshot.setAttribute("pnp/hypothesis_\(index)/category", hypothesis.category?.rawValue ?? "")
            snapshot.setAttribute("pnp/hypothesis_\(index)/is_refined", hypothesis.isRefined ? 1 : 0)
        }
        if let best {
            snapshot.setAttribute("pnp/best/hypothesis", best.hypothesis)
            snapshot.setAttribute("pnp/best/energy", best.energy)
            snapshot.set("pnp/best/image", best.image)
            snapshot.set("pnp/best/kernel", best.kernel)
        }
        if let otherEnergy { snapshot.setAttribute("pnp/other_energy", otherEnergy) }
        splitting.save(to: &snapshot)
    }

    func restore(from snapshot: Snapshot) throws {
        try splitting.restore(from: snapshot)
        step = try snapshot.int("pnp/rounds_step")
        let count = try snapshot.int("pnp/hypotheses")
        guard (1...2).contains(count) else {
            throw CheckpointError(.wrongType, "\(snapshot.origin): pnp/hypotheses is \(count), not 1 or 2")
        }
        hypotheses = try (0..<count).map { index in
            let name = try snapshot.string("pnp/hypothesis_\(index)/category")
            let category = KernelCategory(rawValue: name)
            guard category != nil || name.isEmpty else {
                throw CheckpointError(
                    .wrongType, "\(snapshot.origin): pnp/hypothesis_\(index)/category is \(name), no kind of kernel")
            }
            return KernelHypothesis(
                kernel: try snapshot.tensor("pnp/hypothesis_\(index)/kernel", shape: kernel.shape), category: category,
                isRefined: try snapshot.int("pnp/hypothesis_\(index)/is_refined") != 0)
        }
        if snapshot.contains("pnp/best/image") {
            let hypothesis = try snapshot.int("pnp/best/hypothesis")
            guard hypotheses.indices.contains(hypothesis) else {
                throw CheckpointError(
                    .wrongType, "\(snapshot.origin): pnp/best/hypothesis is \(hypothesis), of \(count)")
            }
            best = Outcome(
                hypothesis: hypothesis, image: try snapshot.tensor("pnp/best/image", shape: image.shape),
                kernel: try snapshot.tensor("pnp/best/kernel", shape: kernel.shape),
                energy: try snapshot.double("pnp/best/energy"))
        }
        otherEnergy = snapshot.contains("pnp/other_energy") ? try snapshot.double("pnp/other_energy") : nil
        guard (0...totalSteps).contains(step) else {
            throw CheckpointError(
                .wrongType, "\(snapshot.origin): pnp/rounds_step is \(step), of \(totalSteps) steps")
        }
    }
}
