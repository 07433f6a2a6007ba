import CParallel
import Checkpointing
import Jobs
import NeuralNetwork

/// What the last digits of a result depend on besides the job: the same work on two kinds of machine differs by rounding.
struct ComputingMachine: Equatable {
    /// The networks' precision, once `auto` is resolved.
    var precision: String
    /// See ``NeuralNetwork/InstructionSet``.
    var instructionSet: String
    /// Threads that share the computation.
    var threads: Int

    /// This machine, as it computes a job with these settings.
    static func present(_ settings: RestorationSettings) -> ComputingMachine {
        ComputingMachine(
            precision: settings.precision.resolved.rawValue, instructionSet: InstructionSet.name,
            threads: Int(dkp_thread_count()))
    }

    func save(in snapshot: inout Snapshot) {
        snapshot.setAttribute("precision", precision)
        snapshot.setAttribute("instruction_set", instructionSet)
        snapshot.setAttribute("threads", threads)
    }
}

extension ComputingMachine {
    /// The machine that a snapshot was made on.
    init(_ snapshot: Snapshot) throws(CheckpointError) {
        precision = try snapshot.string("precision")
        instructionSet = try snapshot.string("instruction_set")
        threads = try snapshot.int("threads")
    }

    /// What there is to say where work that was begun on another machine goes on here; nil where nothing differs.
    func difference(from other: ComputingMachine) -> String? {
        let differences = [
            precision == other.precision ? nil : "precision \(precision) (\(other.precision) before)",
            instructionSet == other.instructionSet
                ? nil : "instruction set \(instructionSet) (\(other.instructionSet) before)",
            threads == other.threads ? nil : "\(threads) threads (\(other.threads) before)",
        ].compactMap { $0 }
        guard !differences.isEmpty else { return nil }
        return "the work goes on with \(differences.joined(separator: ", ")): "
            + "the last digits of the result can differ from those of work that stayed where it began"
    }
}
