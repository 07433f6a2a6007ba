import Checkpointing

/// What was recorded at every step so far.
struct RestorationTrace: Equatable {
    /// The image's loss.
    var loss: [Double] = []
    /// The kernel's loss; NaN in steps that did not touch it.
    var kernelLoss: [Double] = []
    /// Seconds that the step took.
    var stepSeconds: [Double] = []
    /// The present phase, and the number of steps recorded before it began.
    private var phase: String?
    private var phaseStart = 0

    init() {}

    /// The trace saved in a checkpoint of `count` steps.
    init(_ snapshot: Snapshot, count: Int) throws(CheckpointError) {
        loss = try snapshot.doubles("trace/loss", count: count)
        kernelLoss = try snapshot.doubles("trace/kernel_loss", count: count)
        stepSeconds = try snapshot.doubles("trace/step_seconds", count: count)
        phaseStart = count
    }

    mutating func append(_ record: StepRecord, seconds: Double) {
        if record.phase != phase {
            phase = record.phase
            phaseStart = loss.count
        }
        loss.append(record.imageLoss)
        kernelLoss.append(record.kernelLoss)
        stepSeconds.append(seconds)
    }

    func save(in snapshot: inout Snapshot) {
        snapshot.set("trace/loss", Dataset(loss))
        snapshot.set("trace/kernel_loss", Dataset(kernelLoss))
        snapshot.set("trace/step_seconds", Dataset(stepSeconds))
    }

    /// Steps per second over the last steps of the present phase.
    var rate: Double? {
        let recent = stepSeconds.dropFirst(phaseStart).suffix(16)
        let total = recent.reduce(0, +)
        return total > 0 ? Double(recent.count) / total : nil
    }
}
