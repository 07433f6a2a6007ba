import Checkpointing
import Diffusion
import KernelPrior
import NeuralNetwork

/// What a job goes on from.
///
/// Only checkpoints that do not fit (of another input, of other settings, of a version that computed in another way, damaged in all generations)
/// make the work begin anew. Whatever else keeps one from being read or resumed is an error: the next checkpoint of work
/// begun anew would replace those that are there.
struct Resumption {
    /// The newest checkpoint that is intact and this job's; nil where the work begins from the input.
    private(set) var snapshot: Snapshot?
    /// What there is to say about checkpoints that were passed over.
    private(set) var notes: [String] = []

    /// Looks through the checkpoints of a job.
    /// - Throws: `CheckpointError` or ``RestorationError``; the checkpoints are as they were.
    init(_ store: CheckpointStore, _ header: CheckpointHeader) throws {
        do {
            guard let latest = try store.latest() else { return }
            notes = latest.warnings
            if let obstacle = try header.obstacle(to: latest.snapshot) {
                notes.append("\(latest.path) cannot be continued: \(obstacle); starting again from the input")
            } else {
                if let note = try header.machineNote(for: latest.snapshot) { notes.append(note) }
                snapshot = latest.snapshot
            }
        } catch let error where Self.isMisfit(error) {
            notes.append("no checkpoint can be used, starting again from the input: \(error)")
        }
    }

    /// Whether an error says that a checkpoint is damaged or none of the work that it is to be resumed for, and not that
    /// something was in the way.
    static func isMisfit(_ error: any Error) -> Bool {
        switch error {
        case let error as CheckpointError:
            [.missing, .wrongType, .wrongShape, .damaged, .wrongFormat].contains(error.code)
        case let error as KernelPriorError: error.code == .unusableCheckpoint
        case let error as DiffusionError: error.code == .unusableCheckpoint
        // State of another number of parameters.
        case let error as NeuralNetworkError: error.code == .parameter
        default: false
        }
    }
}
