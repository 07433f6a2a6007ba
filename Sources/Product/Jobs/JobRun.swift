import Files
public import Foundation

/// One worker's spell of work on a job. All of them, `runs.json`, tell how often a job was interrupted and how long it
/// took in all, lost work included.
public struct JobRun: Sendable, Codable, Equatable {
    /// How a run ended.
    public enum End: String, Sendable, Codable {
        /// It has not, or it was killed.
        case running
        /// A signal stopped it after a checkpoint.
        case interrupted
        /// An error ended it.
        case failed
        /// The result is complete.
        case finished
    }

    /// The worker's process id.
    public var pid: Int32
    /// When it began.
    public var started: Date
    /// Steps that were done before.
    public var firstStep: Int
    /// Steps done when this was last written.
    public var lastStep: Int
    /// Seconds of wall clock spent in steps.
    public var computeSeconds: Double
    /// The most memory that the process has held, in bytes.
    public var peakMemoryBytes: Int
    /// How it ended.
    public var end: End

    /// A run in its parts.
    package init(
        pid: Int32, started: Date, firstStep: Int, lastStep: Int, computeSeconds: Double, peakMemoryBytes: Int, end: End
    ) {
        self.pid = pid
        self.started = started
        self.firstStep = firstStep
        self.lastStep = lastStep
        self.computeSeconds = computeSeconds
        self.peakMemoryBytes = peakMemoryBytes
        self.end = end
    }

    enum CodingKeys: String, CodingKey {
        case pid, started, end
        case firstStep = "first_step"
        case lastStep = "last_step"
        case computeSeconds = "compute_seconds"
        case peakMemoryBytes = "peak_memory_bytes"
    }

    /// The runs of a job so far, oldest first; none if the record is missing or unreadable: it is statistics, not state.
    public static func history(of job: JobDirectory) -> [JobRun] {
        (try? JobJSON.decode([JobRun].self, fromFile: job.runsPath)) ?? []
    }

    /// The most memory that this process has held, in bytes (`VmHWM`); 0 where the system does not tell.
    package static func peakMemory() -> Int {
        guard let bytes = try? LocalFileSystem().contents(of: "/proc/self/status") else { return 0 }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return line.split(separator: " ").lazy.compactMap { Int($0) }.first.map { $0 * 1024 } ?? 0
        }
        return 0
    }
}
