package import Foundation
import SystemPackage

/// What the folders of a daemon say of all its images, whether it is up or down.
package struct StateSurvey: Sendable, Codable, Equatable {
    /// The daemon itself.
    package struct Daemon: Sendable, Codable, Equatable {
        /// Whether one works on the folder now.
        package var isUp: Bool
        /// Its process, if it is up.
        package var process: String?
        /// Why it begins no work, if it does not.
        package var reason: String?
        /// The line that it last gave the service manager, if it is up.
        package var line: String?

        enum CodingKeys: String, CodingKey {
            case process, reason, line
            case isUp = "up"
        }
    }

    /// How many images are where.
    package struct Counts: Sendable, Codable, Equatable {
        /// Files in the inbox.
        package var inbox = 0
        /// Being taken into a job.
        package var claimed = 0
        /// Jobs that wait for their turn.
        package var waiting = 0
        /// Jobs being worked on.
        package var running = 0
        /// Jobs that wait for something outside them.
        package var paused = 0
        /// Finished results in the outbox.
        package var done = 0
        /// What could not be done.
        package var rejected = 0
    }

    /// Where a job stands.
    package enum JobState: String, Sendable, Codable {
        case claimed, waiting, running, paused
    }

    /// A job in progress.
    package struct Job: Sendable, Codable, Equatable {
        /// Its identifier.
        package var id: String
        /// The dropped file's name, as text.
        package var name: String
        /// Where it stands.
        package var state: JobState
        /// Why it stands there, if there is something to say.
        package var reason: String?
        /// Steps done and to do, if it has begun.
        package var step: Int?
        package var total: Int?
        /// Steps a second, and seconds still to go, while it is running.
        package var rate: Double?
        package var eta: Double?
        /// Failures since it last got on.
        package var failures = 0
    }

    /// A finished result or a rejected image.
    package struct Ending: Sendable, Codable, Equatable {
        /// The name of its directory.
        package var name: String
        /// When it came there, UTC.
        package var time: Date
        /// Why it was rejected.
        package var reason: String?
    }

    /// The version of this format.
    package var version = 1
    /// The state folder.
    package var folder: String
    /// The daemon itself.
    package var daemon: Daemon
    /// How many images are where.
    package var counts: Counts
    /// The jobs in progress: running, paused, waiting, claimed; within each the oldest first.
    package var jobs: [Job]
    /// The latest results, the newest first.
    package var results: [Ending]
    /// The latest rejections, the newest first.
    package var rejections: [Ending]

    /// The JSON text.
    package var json: String { String(decoding: JobLedger.encode(self), as: UTF8.self) }
}
