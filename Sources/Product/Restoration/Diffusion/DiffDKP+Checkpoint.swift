public import Checkpointing
import Diffusion
import Foundation
public import Jobs
public import Tensors

extension DiffDKP {
    /// A process that goes on where `snapshot` was taken.
    ///
    /// - Parameters: as those of the process that was saved; what differs shows as an error naming it.
    /// - Throws: ``RestorationError`` with code `badSettings` for other weights than those that the process was begun
    ///   with; `CheckpointError` for a missing or misshapen dataset.
    public convenience init(
        resuming snapshot: Snapshot, input: Tensor<Float>, settings: RestorationSettings, model: DiffusionModel,
        diffusion: DiffusionSettings? = nil, oracleKernel: Tensor<Float>? = nil, margin: Int = 0
    ) throws {
        try TrainedPrior(model).check(
            sha256: try snapshot.string("diffusion/weights_sha256"), name: try snapshot.string("diffusion/weights"))
        try self.init(
            input: input, settings: settings, model: model, diffusion: diffusion, oracleKernel: oracleKernel,
            margin: margin, warmsUp: false)
        try restore(from: snapshot)
    }

    /// The whole state but the weights: the noisy image, where in the schedule it stands, the kernel network, the
    /// sampler and the random streams; once the reverse process is over, the splitting's.
    public func snapshot() throws -> Snapshot {
        var snapshot = Snapshot()
        snapshot.setAttribute("diffusion/step", step)
        snapshot.setAttribute(
            "diffusion/timestep", step < schedule.count ? schedule.timesteps[schedule.count - 1 - step] : -1)
        snapshot.setAttribute("diffusion/schedule", try scheduleText())
        snapshot.setAttribute("diffusion/weights", model.name)
        snapshot.setAttribute("diffusion/weights_sha256", model.sha256)
        snapshot.set("diffusion/x_t", noisy)
        snapshot.set(noise, as: "random/diffusion_noise")
        estimator.save(to: &snapshot)
        rounds?.save(to: &snapshot)
        return snapshot
    }

    private func restore(from snapshot: Snapshot) throws {
        let (saved, own) = (try snapshot.string("diffusion/schedule"), try scheduleText())
        guard saved == own else {
            throw DiffusionError(
                .unusableCheckpoint, "\(snapshot.origin): the schedule \(saved) is not that of this run, \(own)")
        }
        let step = try snapshot.int("diffusion/step")
        guard (0...totalSteps).contains(step) else {
            throw CheckpointError(.wrongType, "\(snapshot.origin): diffusion/step is \(step), of \(totalSteps) steps")
        }
        noisy = try snapshot.tensor("diffusion/x_t", shape: noisy.shape)
        noise = try snapshot.stream("random/diffusion_noise")
        try estimator.restore(from: snapshot)
        guard step >= schedule.count, let rounds = try makeRounds() else {
            self.step = step
            return
        }
        try rounds.restore(from: snapshot)
        guard step == schedule.count + rounds.step else {
            throw CheckpointError(
                .wrongType, "\(snapshot.origin): diffusion/step is \(step), of \(totalSteps) steps")
        }
        self.step = step
    }

    /// The noise levels in words that are equal when these are.
    private func scheduleText() throws -> String {
        let training = String(decoding: try JobJSON.encode(model.description, pretty: false).dropLast(), as: UTF8.self)
        return "\(settings.steps) of \(training)"
    }
}
