import Foundation

/// The job's own log, one line per event: UTC time, level, text.
///
/// A line that cannot be written is dropped: a full disk must not end a computation. The file is kept short, see
/// ``BoundedLog``.
package struct JobLog: Sendable {
    /// How grave an event is.
    package enum Level: String, Sendable {
        case info
        case warning
        case error
    }

    /// The file.
    package let path: String
    /// Whose log it is: a worker whose lease is over is silent. Nil for whoever works without one.
    package var lease: JobLease?

    /// The log at a path; see ``lease``.
    package init(path: String, lease: JobLease? = nil) {
        self.path = path
        self.lease = lease
    }

    /// Adds a line.
    package func write(_ level: Level, _ text: String) {
        let oneLine = text.replacingOccurrences(of: "\n", with: " ")
        let line = Array("\(Self.timeStamp()) \(level.rawValue) \(oneLine)\n".utf8)
        guard lease?.isCurrent ?? true, let writer = try? BoundedLog(appendingTo: path) else { return }
        try? writer.write(line[...])
    }

    /// The present time in UTC, "2026-01-31T12:34:56.789Z".
    package static func timeStamp() -> String {
        Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true, timeZone: .gmt))
    }
}
