import Checkpointing
import Jobs
import KernelFamilies
import KernelPrior

/// The sampler that a run uses: one of the two behind the common interface, as a value.
struct KernelSearch {
    private enum Sampler {
        case independent(IndependentSampler)
        case metropolis(MetropolisSampler)
    }

    private var sampler: Sampler
    private var isOpen = false

    init(prior: KernelPrior, settings: KernelEstimationSettings, seed: UInt64) throws {
        switch settings.sampler {
        case .independent:
            sampler = .independent(
                try IndependentSampler(
                    prior: prior, draws: settings.draws, weighting: settings.weighting, seed: seed))
        case .metropolis:
            var chains = MetropolisSettings()
            chains.chains = settings.draws
            chains.renewalInterval = 20
            var first = prior
            if settings.coarseShare > 0 {
                var coarse = prior.settings
                coarse.family = .gaussian
                first = try KernelPrior(settings: coarse)
            }
            sampler = .metropolis(try MetropolisSampler(prior: first, settings: chains, seed: seed))
        }
    }

    /// Lets chains that knew one family only move in all of `prior`'s.
    mutating func open(to prior: KernelPrior) {
        guard !isOpen, case .metropolis(var metropolis) = sampler else { return }
        isOpen = true
        guard metropolis.prior != prior else { return }
        metropolis.open(to: prior)
        sampler = .metropolis(metropolis)
    }

    /// What the last call of ``sample(_:)`` gave.
    var last: KernelSample? {
        switch sampler {
        case .independent(let sampler): sampler.last
        case .metropolis(let sampler): sampler.last
        }
    }

    /// - Parameter noiseVariance: the variance of one residual; nil takes it from the best kernel.
    mutating func sample(_ loss: some KernelLoss, noiseVariance: Double? = nil) -> KernelSample {
        switch sampler {
        case .independent(var independent):
            let sample = independent.sample(loss, noiseVariance: noiseVariance)
            sampler = .independent(independent)
            return sample
        case .metropolis(var metropolis):
            let sample = metropolis.sample(loss, noiseVariance: noiseVariance)
            sampler = .metropolis(metropolis)
            return sample
        }
    }

    func save(to snapshot: inout Snapshot) {
        snapshot.setAttribute("mcmc/is_open", isOpen ? 1 : 0)
        switch sampler {
        case .independent(let sampler): sampler.save(to: &snapshot)
        case .metropolis(let sampler): sampler.save(to: &snapshot)
        }
    }

    /// - Parameter prior: what the chains had been opened to, if they had.
    mutating func restore(from snapshot: Snapshot, prior: KernelPrior) throws {
        if try snapshot.int("mcmc/is_open") != 0 { open(to: prior) }
        switch sampler {
        case .independent(var independent):
            try independent.restore(from: snapshot)
            sampler = .independent(independent)
        case .metropolis(var metropolis):
            try metropolis.restore(from: snapshot)
            sampler = .metropolis(metropolis)
        }
    }
}
