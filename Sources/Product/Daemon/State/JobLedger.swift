package import Files
package import Foundation
package import SystemPackage

/// What the daemon remembers of a job, in the job's directory as `daemon.json`.
///
/// Nothing that decides between publishing once and twice stands here: that is read off the directory itself
/// (``JobPhase``). A record that is lost or damaged costs the count of failures, no more.
package struct JobLedger: Sendable, Codable, Equatable {
    /// One run of the worker.
    package struct Attempt: Sendable, Codable, Equatable {
        /// When it began, UTC.
        package var began: Date
        /// When it ended, UTC.
        package var ended: Date
        /// How it ended: "exit status 70", "killed by signal 9".
        package var outcome: String
        /// The last thing that the worker said.
        package var message: String
    }

    /// Why a job is to be rejected.
    package struct Rejection: Sendable, Codable, Equatable {
        /// A word for programs.
        package var code: String
        /// A sentence for people.
        package var message: String

        package init(code: String, message: String) {
            self.code = code
            self.message = message
        }
    }

    /// The version of this format.
    package var version = 1
    /// The dropped file's name, as text.
    package var name: String
    /// When the file was claimed, UTC.
    package var claimed: Date
    /// Its place in the queue: higher ones come first; nil counts as 0.
    package var priority: Int?
    /// Where the job stands, in a word: waiting, running, paused.
    package var state = "waiting"
    /// Why it stands there, if there is something to say.
    package var reason: String?
    /// Failures since the job last got on.
    package var failures = 0
    /// The step of the newest checkpoint when it last failed.
    package var failedAtStep: Int?
    /// The runs that failed.
    package var attempts: [Attempt] = []
    /// Set when the job is to be rejected.
    package var rejection: Rejection?

    package init(name: String, claimed: Date) {
        self.name = name
        self.claimed = claimed
    }

    /// Reads a record whose numbers somebody may have written: those out of range count as the nearest that is in it.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try container.decode(Int.self, forKey: .version)
        name = try container.decode(String.self, forKey: .name)
        claimed = try container.decode(Date.self, forKey: .claimed)
        priority = try container.decodeIfPresent(Int.self, forKey: .priority)?.clamped(to: ImageSettings.priorities)
        state = try container.decode(String.self, forKey: .state)
        reason = try container.decodeIfPresent(String.self, forKey: .reason)
        failures = try container.decode(Int.self, forKey: .failures).clamped(to: 0...Self.mostFailures)
        failedAtStep = try container.decodeIfPresent(Int.self, forKey: .failedAtStep)?.clamped(to: 0...Int.max)
        attempts = try container.decode([Attempt].self, forKey: .attempts)
        rejection = try container.decodeIfPresent(Rejection.self, forKey: .rejection)
    }

    /// More failures in a row than the setting `attempts` allows for.
    private static let mostFailures = 1000

    /// The file's name in a job directory.
    package static let fileName = "daemon.json"

    /// How many attempts are kept; the oldest go first.
    static let attemptsKept = 100

    /// Reads a job's record.
    /// - Returns: nil if there is none or it is damaged.
    package static func read(from job: FilePath, _ files: some FileSystem) throws(FileError) -> JobLedger? {
        let path = job.appending(fileName)
        guard try files.status(path)?.kind == .regular else { return nil }
        let bytes = try files.read(path, limit: 1 << 20)
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try? decoder.decode(JobLedger.self, from: Data(bytes))
    }

    /// Writes the record into a job's directory, atomically.
    package func write(to job: FilePath, _ files: some FileSystem) throws(FileError) {
        try files.write(json(), to: job.appending(Self.fileName))
    }

    func json() -> [UInt8] { Self.encode(self) }

    /// The JSON text of a value of this module, whose encoding cannot fail.
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(((try? encoder.encode(value)) ?? Data("{}".utf8)) + Data("\n".utf8))
    }
}

extension Comparable {
    /// The nearest value in a range.
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
