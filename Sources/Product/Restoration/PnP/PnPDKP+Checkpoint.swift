public import Checkpointing
public import Jobs
import KernelFamilies
import KernelPrior
public import Tensors

extension PnPDKP {
    /// A process that goes on where `snapshot` was taken.
    ///
    /// - Parameters: as those of the process that was saved; what differs shows as an error naming it.
    /// - Throws: ``RestorationError`` with code `badSettings` for other weights than those that the process was begun
    ///   with; `CheckpointError` for a missing or misshapen dataset.
    public convenience init(
        resuming snapshot: Snapshot, input: Tensor<Float>, settings: RestorationSettings, prior: TrainedPrior,
        pnp: PnPSettings? = nil, oracleKernel: Tensor<Float>? = nil, margin: Int = 0
    ) throws {
        try prior.check(
            sha256: try snapshot.string("pnp/weights_sha256"), name: try snapshot.string("pnp/weights"))
        try self.init(
            configured: input, settings: settings, prior: prior, pnp: pnp, oracleKernel: oracleKernel, margin: margin)
        let step = try snapshot.int("pnp/step")
        let searchSteps = try snapshot.int("pnp/search_steps")
        guard (0...self.searchSteps).contains(searchSteps) else {
            throw CheckpointError(
                .wrongType, "\(snapshot.origin): pnp/search_steps is \(searchSteps), of \(self.searchSteps) at most")
        }
        self.searchSteps = searchSteps
        if snapshot.contains("pnp/image") {
            spread = snapshot.contains("pnp/spread") ? try snapshot.double("pnp/spread") : nil
            let rounds = try makeRounds(extent: nil)
            try rounds.restore(from: snapshot)
            guard step == searchSteps + rounds.step else {
                throw CheckpointError(
                    .wrongType, "\(snapshot.origin): pnp/step is \(step), of \(totalSteps) steps")
            }
            self.step = step
        } else {
            guard (0...searchSteps).contains(step) else {
                throw CheckpointError(.wrongType, "\(snapshot.origin): pnp/step is \(step), of \(searchSteps) steps")
            }
            self.step = step
            search = try DIPDKP(resuming: snapshot, input: input, settings: settings, dip: self.settings.search)
            try convergence.restore(from: snapshot, kernelSize: kernelSize)
        }
    }

    /// The whole state but the weights: the search's with what was seen of its kernel, or that of the rounds.
    public func snapshot() throws -> Snapshot {
        var snapshot = try search?.snapshot() ?? Snapshot()
        snapshot.setAttribute("pnp/step", step)
        snapshot.setAttribute("pnp/search_steps", searchSteps)
        snapshot.setAttribute("pnp/weights", prior.name)
        snapshot.setAttribute("pnp/weights_sha256", prior.sha256)
        if let rounds {
            if let spread { snapshot.setAttribute("pnp/spread", spread) }
            rounds.save(to: &snapshot)
        } else {
            convergence.save(to: &snapshot)
        }
        return snapshot
    }
}
