import Foundation
import Glibc
public import Logging

/// Writes log lines to standard error: one line an event, with the time and the level for people, or, where the journal
/// reads it, with the level as a prefix that the journal understands.
public struct StandardErrorLogHandler: LogHandler {
    /// What every line carries besides its own.
    public var metadata: Logger.Metadata = [:]
    /// The least level that is written.
    public var logLevel: Logger.Level

    /// - Parameter level: the least level that is written.
    public init(level: Logger.Level) { logLevel = level }

    /// One entry of the metadata that every line of this logger carries.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line.
    public func log(event: LogEvent) {
        let start = Journal.isStandardError ? "<\(event.level.priority)>" : "\(Self.now()) \(event.level.rawValue): "
        let text = LogLine.text(of: event, metadata: metadata.merging(event.metadata ?? [:]) { $1 })
        // One write, so that lines of several tasks do not mix; where it fails there is no one to tell.
        let bytes = Array((start + text + "\n").utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    private static func now() -> String { Date().formatted(.iso8601) }
}
