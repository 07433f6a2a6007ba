import Checkpointing
import KernelPrior

/// The sampler that a run uses: one of the two behind the common interface, as a value.
struct KernelSearch {
    private enum Sampler {
        case independent(IndependentSampler)
        case metropolis(MetropolisSampler)
    }

    private var sampler: Sampler

    init(prior: KernelPrior, settings: DIPSettings, seed: UInt64) throws {
        switch settings.sampler {
        case .independent:
            sampler = .independent(
                try IndependentSampler(
                    prior: prior, draws: settings.draws, weighting: settings.weighting, seed: seed))
        case .metropolis:
            var chains = MetropolisSettings()
            chains.chains = settings.draws
            sampler = .metropolis(try MetropolisSampler(prior: prior, settings: chains, seed: seed))
        }
    }

    /// What the last call of ``sample(_:)`` gave.
    var last: KernelSample? {
        switch sampler {
        case .independent(let sampler): sampler.last
        case .metropolis(let sampler): sampler.last
        }
    }

    mutating func sample(_ loss: some KernelLoss) -> KernelSample {
        switch sampler {
        case .independent(var independent):
            let sample = independent.sample(loss)
            sampler = .independent(independent)
            return sample
        case .metropolis(var metropolis):
            let sample = metropolis.sample(loss)
            sampler = .metropolis(metropolis)
            return sample
        }
    }

    func save(to snapshot: inout Snapshot) {
        switch sampler {
        case .independent(let sampler): sampler.save(to: &snapshot)
        case .metropolis(let sampler): sampler.save(to: &snapshot)
        }
    }

    mutating func restore(from snapshot: Snapshot) throws {
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
