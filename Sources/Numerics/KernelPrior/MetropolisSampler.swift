import Foundation
import KernelFamilies
import Tensors

/// Persistent Metropolis-Hastings chains on the latent h, with the target exp(-beta loss / (2 sigma^2)) times the prior.
///
/// Proposals are preconditioned Crank-Nicolson moves (Cotter, Roberts, Stuart & White 2013), now and then draws from
/// the prior, and in the family `auto` moves between categories; all with exact acceptance ratios. Step sizes follow
/// the acceptance rate by stochastic approximation with a gain that falls to, and stays at, a small value, because the
/// target itself moves with the image.
public struct MetropolisSampler: KernelSampler {
    /// The prior that is sampled.
    public private(set) var prior: KernelPrior
    /// Numbers of chains and proposals, temperatures.
    public let settings: MetropolisSettings
    /// What the last iteration gave: the L cold chains' kernels.
    public internal(set) var last: KernelSample?
    /// The number of iterations made.
    public internal(set) var iterations = 0

    /// The L chains, then the hot ones, colder first; empty before the first iteration.
    var chains: [Chain] = []
    var swapStream: RandomStream
    /// The chains that start anew at the next iteration; empty between two iterations of a run.
    private var restarts: [Int] = []
    var swapsProposed: UInt64 = 0
    var swapsAccepted: UInt64 = 0
    /// inverseTemperature / (2 sigma^2) of the last iteration; 0 before the first.
    var precision = 0.0
    let seed: UInt64

    /// One chain: where it is, and how it moves.
    struct Chain: Sendable, Equatable {
        var latent: KernelLatent
        var kernel: Tensor<Float>
        var loss: Double
        /// The step size of each ``ChainMove``.
        var steps: [Double]
        var proposed: [UInt64]
        var accepted: [UInt64]
        var stream: RandomStream
    }

    /// A sampler at its beginning. Throws ``KernelPriorError`` if a setting is out of range.
    /// - Parameter seed: the seed of the run; the streams are called `kernel_chain_<index>` and `kernel_swaps`.
    public init(
        prior: KernelPrior, settings: MetropolisSettings = .init(), seed: UInt64
    ) throws(KernelPriorError) {
        try settings.validate()
        self.prior = prior
        self.settings = settings
        self.seed = seed
        swapStream = RandomStream(seed: seed, name: "kernel_swaps")
    }

    /// The latents of the L cold chains; empty before the first iteration.
    public var latents: [KernelLatent] { chains.prefix(settings.chains).map(\.latent) }

    /// The log-density of every chain's state under its own target, cold chains first, as of the last iteration: the
    /// log-likelihood over the temperature plus the log-prior, up to constants.
    public var logDensities: [Double] {
        chains.indices.map { index in
            chains[index].latent.logPrior - precision / temperature(of: index) * chains[index].loss
        }
    }

    /// The share of the cold chains' proposals that were accepted so far, those without a step
    /// size not counted.
    public var acceptance: Double {
        var proposed: UInt64 = 0
        var accepted: UInt64 = 0
        for chain in chains.prefix(settings.chains) {
            for move in ChainMove.allCases where move.hasStep {
                proposed += chain.proposed[move.rawValue]
                accepted += chain.accepted[move.rawValue]
            }
        }
        return proposed == 0 ? 0 : Double(accepted) / Double(proposed)
    }

    /// The share of exchanges between chains of different temperature that were accepted so far.
    public var swapAcceptance: Double {
        swapsProposed == 0 ? 0 : Double(swapsAccepted) / Double(swapsProposed)
    }

    /// Lets every chain make its proposals against the loss of the present image.
    public mutating func sample(_ loss: some KernelLoss, noiseVariance: Double?) -> KernelSample {
        if chains.isEmpty {
            chains = (0..<(settings.chains + settings.hotChains)).map { start(chain: $0, loss) }
        } else {
            // The image has changed since: so have the losses of the states the chains are in.
            for index in chains.indices { chains[index].loss = loss.loss(of: chains[index].kernel) }
            for index in restarts { restart(chain: index, loss) }
            restarts = []
        }
        let variance = max(
            noiseVariance ?? residualVariance(chains.map(\.loss), count: loss.count), .leastNormalMagnitude)
        precision = settings.inverseTemperature / (2 * variance)
        for _ in 0..<settings.proposals {
            for index in chains.indices { propose(index, precision / temperature(of: index), loss) }
            swapNeighbours(precision)
        }
        iterations += 1
        if let interval = settings.renewalInterval, iterations % interval == 0 { renewWorst(precision) }
        let cold = chains.prefix(settings.chains)
        let losses = cold.map(\.loss)
        let sample = KernelSample(
            kernels: cold.map(\.kernel), categories: cold.map(\.latent.category), losses: losses,
            weights: settings.weighting.weights(for: losses, variance: variance / settings.inverseTemperature))
        last = sample
        return sample
    }

    /// Continues with another prior, of the same kernel size.
    ///
    /// Chains whose category the new prior does not know start anew in it at the next iteration, and where it knows
    /// several, every second chain does so in a category it is not in: the others carry on what was found.
    public mutating func open(to prior: KernelPrior) {
        precondition(prior.kernelSize == self.prior.kernelSize, "a sampler's kernels keep their size")
        self.prior = prior
        restarts = chains.indices.filter { index in
            !prior.settings.family.categories.contains(chains[index].latent.category)
                || prior.settings.family == .auto && index % 2 == 1
        }
    }

    /// The temperature of a chain, in units of that of the L cold ones.
    func temperature(of index: Int) -> Double {
        index < settings.chains ? 1 : pow(settings.temperatureRatio, Double(index - settings.chains + 1))
    }

    private func start(chain index: Int, _ loss: some KernelLoss) -> Chain {
        var stream = RandomStream(seed: seed, name: "kernel_chain_\(index)")
        // Categories take turns, so that each is tried from the start.
        let categories = prior.settings.family.categories
        var best: (latent: KernelLatent, kernel: Tensor<Float>, loss: Double)?
        for _ in 0..<settings.initialDraws {
            let latent = prior.draw(categories[index % categories.count], from: &stream)
            let kernel = prior.kernel(of: latent)
            let value = loss.loss(of: kernel)
            if best.map({ value < $0.loss || $0.loss.isNaN }) ?? true { best = (latent, kernel, value) }
        }
        let moves = ChainMove.allCases.count
        let start = best ?? (KernelLatent(category: .gaussian, normals: [0, 0, 0, 0]), Tensor(shape: [0]), .infinity)
        return Chain(
            latent: start.latent, kernel: start.kernel, loss: start.loss,
            steps: [Double](repeating: 0.3, count: moves), proposed: [UInt64](repeating: 0, count: moves),
            accepted: [UInt64](repeating: 0, count: moves), stream: stream)
    }

    /// Puts a chain where the best of many draws from the category that it is not in explains the present image best.
    private mutating func restart(chain index: Int, _ loss: some KernelLoss) {
        let category: KernelCategory = chains[index].latent.category == .gaussian ? .motion : .gaussian
        for draw in 0..<settings.initialDraws * 10 {
            let latent = prior.draw(category, from: &chains[index].stream)
            let kernel = prior.kernel(of: latent)
            let value = loss.loss(of: kernel)
            guard draw == 0 || value < chains[index].loss || chains[index].loss.isNaN else { continue }
            chains[index].latent = latent
            chains[index].kernel = kernel
            chains[index].loss = value
        }
    }

    private mutating func propose(_ index: Int, _ precision: Double, _ loss: some KernelLoss) {
        let move = chooseMove(&chains[index])
        chains[index].proposed[move.rawValue] += 1
        var proposal = chains[index].latent
        var logRatio = 0.0
        switch move {
        case .priorDraw:
            proposal = prior.draw(from: &chains[index].stream)
        case .motionStraighten, .matchMoments, .matchLine:
            let matched = MatchedMoves(prior: prior).propose(
                move, from: proposal, kernel: chains[index].kernel, stream: &chains[index].stream)
            guard let matched else { return }
            proposal = matched.latent
            logRatio = matched.logRatio
        default:
            move.apply(
                to: &proposal.normals, step: chains[index].steps[move.rawValue], stream: &chains[index].stream)
        }
        let kernel = prior.kernel(of: proposal)
        let value = loss.loss(of: kernel)
        logRatio -= precision * (value - chains[index].loss)
        let isAccepted = log(1 - chains[index].stream.uniform()) < logRatio
        if isAccepted {
            chains[index].latent = proposal
            chains[index].kernel = kernel
            chains[index].loss = value
            chains[index].accepted[move.rawValue] += 1
        }
        adapt(&chains[index], move, logRatio.isNaN ? 0 : min(1, exp(min(logRatio, 0))))
    }

    private func chooseMove(_ chain: inout Chain) -> ChainMove {
        var choice = chain.stream.uniform()
        if choice < settings.priorShare { return .priorDraw }
        choice -= settings.priorShare
        if prior.settings.family == .auto {
            if choice < settings.categoryShare {
                return choice < settings.categoryShare / 2 ? .matchMoments : .matchLine
            }
            choice = (choice - settings.categoryShare) / (1 - settings.priorShare - settings.categoryShare)
        } else {
            choice /= 1 - settings.priorShare
        }
        let choices = ChainMove.choices(for: chain.latent.category)
        choice *= choices.reduce(0) { $0 + $1.weight }
        for (move, weight) in choices {
            if choice < weight { return move }
            choice -= weight
        }
        return choices[choices.count - 1].move
    }

    /// Robbins and Monro's rule on the logarithm of the step size.
    private func adapt(_ chain: inout Chain, _ move: ChainMove, _ probability: Double) {
        guard move.hasStep, probability.isFinite else { return }
        let gain = max(0.1, pow(Double(chain.proposed[move.rawValue]), -0.6))
        let step = chain.steps[move.rawValue] * exp(gain * (probability - settings.targetAcceptance))
        chain.steps[move.rawValue] = min(max(step, 1e-6), 1)
    }

    /// Lets the worst cold chain go on from where the best is, if it explains the input hopelessly worse.
    private mutating func renewWorst(_ precision: Double) {
        let cold = chains.indices.prefix(settings.chains)
        guard let best = cold.min(by: { chains[$0].loss < chains[$1].loss }),
            let worst = cold.max(by: { chains[$0].loss < chains[$1].loss }),
            precision * (chains[worst].loss - chains[best].loss) > -log(1e-6)
        else { return }
        chains[worst].latent = chains[best].latent
        chains[worst].kernel = chains[best].kernel
        chains[worst].loss = chains[best].loss
    }

    /// Tries to exchange the states of each hot chain and the next colder one (one of the L at random for the first).
    private mutating func swapNeighbours(_ precision: Double) {
        for hot in settings.chains..<chains.count {
            let cold = hot == settings.chains ? swapStream.index(below: settings.chains) : hot - 1
            let difference = precision / temperature(of: cold) - precision / temperature(of: hot)
            swapsProposed += 1
            let logRatio = difference * (chains[cold].loss - chains[hot].loss)
            guard log(1 - swapStream.uniform()) < logRatio else { continue }
            swapsAccepted += 1
            (chains[cold].latent, chains[hot].latent) = (chains[hot].latent, chains[cold].latent)
            (chains[cold].kernel, chains[hot].kernel) = (chains[hot].kernel, chains[cold].kernel)
            (chains[cold].loss, chains[hot].loss) = (chains[hot].loss, chains[cold].loss)
        }
    }
}
