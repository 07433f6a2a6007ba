import Checkpointing
import Foundation
import Jobs

/// The root attributes of a checkpoint: whose state it is. See formats: checkpoint.
struct CheckpointHeader {
    let job: JobDirectory

    /// Writes the header into a snapshot.
    func save(in snapshot: inout Snapshot, step: Int, totalSteps: Int) throws {
        snapshot.setAttribute("software_version", Software.version)
        snapshot.setAttribute("created", JobLog.timeStamp())
        snapshot.setAttribute("job_id", job.record.id)
        snapshot.setAttribute("method", job.record.settings.method.rawValue)
        snapshot.setAttribute("input_sha256", job.record.inputSHA256)
        snapshot.setAttribute("settings", try Self.settingsText(job.record.settings))
        snapshot.setAttribute("step", step)
        snapshot.setAttribute("total_steps", totalSteps)
    }

    /// Why the state in a snapshot is none that this job can go on from; nil if it is one.
    /// - Throws: ``RestorationError`` with code `unavailable` for one that a newer version of the program can go on from;
    ///   `CheckpointError` for one that lacks the header.
    func obstacle(to snapshot: Snapshot) throws -> String? {
        let version = try snapshot.string("software_version")
        if version != Software.version {
            guard Software.isOlder(version) else {
                throw RestorationError(
                    .unavailable,
                    "\(snapshot.origin) was written by version \(version) of the program, this is \(Software.version)",
                    remedy: "go on with that version, or remove the checkpoints to begin anew")
            }
            return "it was written by version \(version) of the program, this is \(Software.version)"
        }
        if try snapshot.string("input_sha256") != job.record.inputSHA256 { return "it belongs to another input" }
        if try snapshot.string("settings") != Self.settingsText(job.record.settings) {
            return "it was written with other settings"
        }
        return nil
    }

    /// The settings that determine the result, as JSON: those that only change how the work is run may change between
    /// runs.
    static func settingsText(_ settings: RestorationSettings) throws -> String {
        String(decoding: try JobJSON.encode(settings.determiningResult, pretty: false).dropLast(), as: UTF8.self)
    }
}
