import Checkpointing
import Foundation
import Jobs

/// The root attributes of a checkpoint: whose state it is. See formats: checkpoint.
struct CheckpointHeader {
    let job: JobDirectory

    /// Writes the header into a snapshot.
    func save(in snapshot: inout Snapshot, step: Int, totalSteps: Int) throws {
        snapshot.setAttribute("software_version", Software.version)
        snapshot.setAttribute("compatibility", Self.compatibility)
        snapshot.setAttribute("created", JobLog.timeStamp())
        ComputingMachine.present(job.record.settings).save(in: &snapshot)
        snapshot.setAttribute("job_id", job.record.id)
        snapshot.setAttribute("method", job.record.settings.method.rawValue)
        snapshot.setAttribute("input_sha256", job.record.inputSHA256)
        snapshot.setAttribute("settings", try Self.settingsText(job.record.settings))
        snapshot.setAttribute("step", step)
        snapshot.setAttribute("total_steps", totalSteps)
    }

    /// The number of the states that this program computes on from. It is raised when a method's state, or what is
    /// computed from it, changes; a release that changes neither keeps it, and jobs go on across the upgrade.
    static let compatibility = 2

    /// Why the state in a snapshot is none that this job can go on from; nil if it is one.
    /// - Throws: ``RestorationError`` with code `unavailable` for one that a newer version of the program can go on from;
    ///   `CheckpointError` for one that lacks the header.
    func obstacle(to snapshot: Snapshot) throws -> String? {
        let version = try snapshot.string("software_version")
        // Version 0.1.0 wrote none.
        let number = snapshot.contains("compatibility") ? try snapshot.int("compatibility") : 0
        if number > Self.compatibility {
            throw RestorationError(
                .unavailable,
                "\(snapshot.origin) was written by version \(version) of the program, whose state (number \(number)) "
                    + "this one, \(Software.version) (number \(Self.compatibility)), does not know",
                remedy: "go on with that version, or remove the checkpoints to begin anew")
        }
        if number < Self.compatibility {
            return "it was written by version \(version) of the program, which computes in another way than this one, "
                + Software.version
        }
        if try snapshot.string("input_sha256") != job.record.inputSHA256 { return "it belongs to another input" }
        if try snapshot.string("settings") != Self.settingsText(job.record.settings) {
            return "it was written with other settings"
        }
        return nil
    }

    /// What differs between the machine that a snapshot was made on and this one; nil if nothing does.
    func machineNote(for snapshot: Snapshot) throws -> String? {
        ComputingMachine.present(job.record.settings).difference(from: try ComputingMachine(snapshot))
    }

    /// The settings that determine the result, as JSON: those that only change how the work is run may change between
    /// runs.
    static func settingsText(_ settings: RestorationSettings) throws -> String {
        String(decoding: try JobJSON.encode(settings.determiningResult, pretty: false).dropLast(), as: UTF8.self)
    }
}
