import Checkpointing

/// What was recorded at every step so far.
struct RestorationTrace: Equatable {
    /// The image's loss.
    var loss: [Double] = []
    /// The kernel's loss; NaN in steps that did not touch it.
    var kernelLoss: [Double] = []
    /// Seconds that the step took.
    var stepSeconds: [Double] = []

    init() {}

    /// The trace saved in a checkpoint of `count` steps.
    init(_ snapshot: Snapshot, count: Int) throws(CheckpointError) {
        loss = try snapshot.doubles("trace/loss", count: count)
        kernelLoss = try snapshot.doubles("trace/kernel_loss", count: count)
        stepSeconds = try snapshot.doubles("trace/step_seconds", count: count)
    }

    mutating func append(_ record: StepRecord, seconds: Double) {
        loss.append(record.imageLoss)
        kernelLoss.append(record.kernelLoss)
        stepSeconds.append(seconds)
    }

    func save(in snapshot: inout Snapshot) {
        snapshot.set("trace/loss", Dataset(loss))
        snapshot.set("trace/kernel_loss", Dataset(kernelLoss))
        snapshot.set("trace/step_seconds", Dataset(stepSeconds))
    }

    /// Steps per second over the last steps.
    var rate: Double? {
        let recent = stepSeconds.suffix(16)
        let total = recent.reduce(0, +)
        return total > 0 ? Double(recent.count) / total : nil
    }
}
