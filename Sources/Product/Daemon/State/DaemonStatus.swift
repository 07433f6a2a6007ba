package import Files
package import Foundation
import SystemPackage

/// How the daemon as a whole stands, for whoever lists the folders: `status.json` in the state folder.
///
/// Where a single job stands is in its own directory. Here is what concerns all of them, and, once more, why jobs are
/// paused: a job's own directory may be the very thing that cannot be written. It is for people and for `dkp status`: the
/// daemon does not read it back.
package struct DaemonStatus: Sendable, Codable, Equatable {
    /// Why a job is paused, or does not get on.
    package struct Pause: Sendable, Codable, Equatable {
        /// The job's identifier.
        package var job: String
        /// The dropped file's name, as text.
        package var name: String
        /// A sentence.
        package var reason: String

        package init(job: String, name: String, reason: String) {
            self.job = job
            self.name = name
            self.reason = reason
        }
    }

    /// The version of this format.
    package var version = 1
    /// The daemon's process.
    package var process: Int32
    /// In a word: running, paused (no work is begun), stopping, stopped.
    package var state: String
    /// Why no work is begun.
    package var reason: String?
    /// The line that the service manager shows.
    package var line: String
    /// Jobs that wait for something outside them.
    package var paused: [Pause]
    /// Running jobs whose workers do not get on; nil in those of earlier versions.
    package var stalled: [Pause]?
    /// Free bytes below which no work is begun.
    package var freeSpaceFloor: Int
    /// When this was written, UTC.
    package var updated: Date

    enum CodingKeys: String, CodingKey {
        case version, process, state, reason, line, paused, stalled, updated
        case freeSpaceFloor = "free_space_floor"
    }

    package init(
        process: Int32, state: String, reason: String?, line: String, paused: [Pause], stalled: [Pause] = [],
        freeSpaceFloor: Int, updated: Date
    ) {
        self.process = process
        self.state = state
        self.reason = reason
        self.line = line
        self.paused = paused
        self.stalled = stalled
        self.freeSpaceFloor = freeSpaceFloor
        self.updated = updated
    }

    /// Writes it; where that fails the last one stands, with its time.
    package func write(to folder: StateFolder) {
        try? LocalFileSystem().replace(
            folder.status.string, with: JobLedger.encode(self), durably: false, temporary: .fixed)
    }

    /// What the daemon of a folder last wrote; nil if there is nothing that can be read.
    package static func read(_ folder: StateFolder, _ files: some FileSystem) -> DaemonStatus? {
        guard let bytes = try? files.read(folder.status, limit: 1 << 20) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try? decoder.decode(DaemonStatus.self, from: Data(bytes))
    }
}
