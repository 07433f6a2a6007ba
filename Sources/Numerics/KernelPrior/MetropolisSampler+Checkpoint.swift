public import Checkpointing
import KernelFamilies
import Tensors

// Under `mcmc`, for C chains (cold ones first) and the moves in the order of `ChainMove`: `latents` [C, D], zero-padded
// to the longest latent; `chain_categories`, `chain_losses`, `log_densities` [C]; `chain_kernels` [C, n, n];
// `step_sizes`, `proposed`, `accepted` [C, moves]; `swaps` [proposed, accepted]; the last sample; attributes
// `iterations` and `precision`. Under `random`: `kernel_swaps` and `kernel_chain_<index>`.
extension MetropolisSampler {
    private static var latentCount: Int { KernelCategory.allCases.map(KernelLatent.count(for:)).max() ?? 0 }

    /// Saves the chains, their step sizes, counts and random streams and the last sample, under `mcmc` and `random`.
    public func save(to snapshot: inout Snapshot) {
        snapshot.setAttribute("mcmc/sampler", "metropolis")
        snapshot.setAttribute("mcmc/iterations", iterations)
        snapshot.setAttribute("mcmc/precision", precision)
        snapshot.set(swapStream, as: "random/kernel_swaps")
        snapshot.set("mcmc/swaps", Dataset([swapsProposed, swapsAccepted]))
        last?.save(to: &snapshot)
        guard !chains.isEmpty else { return }

        let count = chains.count
        let size = prior.kernelSize
        let width = Self.latentCount
        let moves = ChainMove.allCases.count
        let latents = chains.flatMap { chain in
            chain.latent.normals + [Double](repeating: 0, count: width - chain.latent.normals.count)
        }
        snapshot.set("mcmc/latents", Dataset(shape: [count, width], values: .double(latents)))
        snapshot.set("mcmc/chain_categories", Dataset(chains.map(\.latent.category.code)))
        snapshot.set("mcmc/chain_losses", Dataset(chains.map(\.loss)))
        snapshot.set("mcmc/log_densities", Dataset(logDensities))
        snapshot.set(
            "mcmc/chain_kernels",
            Dataset(shape: [count, size, size], values: .float(chains.flatMap(\.kernel.elements))))
        snapshot.set(
            "mcmc/step_sizes", Dataset(shape: [count, moves], values: .double(chains.flatMap(\.steps))))
        snapshot.set(
            "mcmc/proposed", Dataset(shape: [count, moves], values: .uint64(chains.flatMap(\.proposed))))
        snapshot.set(
            "mcmc/accepted", Dataset(shape: [count, moves], values: .uint64(chains.flatMap(\.accepted))))
        for (index, chain) in chains.enumerated() { snapshot.set(chain.stream, as: "random/kernel_chain_\(index)") }
    }

    /// Continues where a saved sampler of the same settings was.
    public mutating func restore(from snapshot: Snapshot) throws {
        try requireSampler("metropolis", in: snapshot)
        let iterations = try snapshot.int("mcmc/iterations")
        let precision = try snapshot.double("mcmc/precision")
        let swapStream = try snapshot.stream("random/kernel_swaps")
        let swaps = try snapshot.uint64s("mcmc/swaps", count: 2)
        let last = try KernelSample.restore(from: snapshot, count: settings.chains, size: prior.kernelSize)
        let chains = iterations > 0 ? try Self.chains(from: snapshot, settings: settings, prior: prior) : []
        self.iterations = iterations
        self.precision = precision
        self.swapStream = swapStream
        swapsProposed = swaps[0]
        swapsAccepted = swaps[1]
        self.last = last
        self.chains = chains
    }

    private static func chains(
        from snapshot: Snapshot, settings: MetropolisSettings, prior: KernelPrior
    ) throws -> [Chain] {
        let count = settings.chains + settings.hotChains
        let width = latentCount
        let moves = ChainMove.allCases.count
        let latents = try snapshot.doubles("mcmc/latents", count: count * width)
        let categories = try restoreCategories("mcmc/chain_categories", from: snapshot, count: count)
        let losses = try snapshot.doubles("mcmc/chain_losses", count: count)
        let kernels = try restoreKernels(
            "mcmc/chain_kernels", from: snapshot, count: count, size: prior.kernelSize)
        let steps = try snapshot.doubles("mcmc/step_sizes", count: count * moves)
        let proposed = try snapshot.uint64s("mcmc/proposed", count: count * moves)
        let accepted = try snapshot.uint64s("mcmc/accepted", count: count * moves)
        guard latents.allSatisfy(\.isFinite) else {
            throw KernelPriorError.checkpoint("mcmc/latents", "holds a value that is not finite")
        }
        guard steps.allSatisfy({ $0 > 0 && $0 <= 1 }) else {
            throw KernelPriorError.checkpoint("mcmc/step_sizes", "holds a step outside (0, 1]")
        }
        guard categories.allSatisfy({ prior.settings.family.categories.contains($0) }) else {
            throw KernelPriorError.checkpoint(
                "mcmc/chain_categories", "holds a category outside the family \(prior.settings.family.rawValue)")
        }
        return try (0..<count).map { index in
            let used = KernelLatent.count(for: categories[index])
            let own = (index * moves)..<((index + 1) * moves)
            return Chain(
                latent: KernelLatent(
                    category: categories[index],
                    normals: Array(latents[(index * width)..<(index * width + used)])),
                kernel: kernels[index], loss: losses[index], steps: Array(steps[own]),
                proposed: Array(proposed[own]), accepted: Array(accepted[own]),
                stream: try snapshot.stream("random/kernel_chain_\(index)"))
        }
    }
}
