public import Checkpointing

extension IndependentSampler {
    /// Saves the random stream and the last sample, under `mcmc` and `random`.
    public func save(to snapshot: inout Snapshot) {
        snapshot.setAttribute("mcmc/sampler", "independent")
        snapshot.set(stream, as: "random/kernel_draws")
        last?.save(to: &snapshot)
    }

    /// Continues where a saved sampler of the same settings was.
    public mutating func restore(from snapshot: Snapshot) throws {
        try requireSampler("independent", in: snapshot)
        let stream = try snapshot.stream("random/kernel_draws")
        last = try KernelSample.restore(from: snapshot, count: draws, size: prior.kernelSize)
        self.stream = stream
    }
}
