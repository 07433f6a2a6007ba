import Foundation
import Glibc
import Logging

/// Writes log lines to standard error: for the journal, when that is where they go, with the level as a prefix that it
/// understands, and for people with a time.
///
/// One line per message: control characters in what strangers named are escaped.
public struct StandardErrorLogHandler: LogHandler {
    /// What every line carries besides its own.
    public var metadata: Logger.Metadata = [:]
    /// The least level that is written.
    public var logLevel: Logger.Level

    private let isJournal: Bool

    /// - Parameter level: the least level that is written.
    public init(level: Logger.Level) {
        logLevel = level
        isJournal = Self.goesToJournal
    }

    /// One entry of the metadata that every line of this logger carries.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line.
    public func log(event: LogEvent) {
        var line = isJournal ? "<\(event.level.priority)>" : "\(Self.now()) \(event.level.rawValue): "
        line += event.message.description
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\"\(value)\"" }
        line = ResultName.printable(line) + "\n"
        // One write, so that lines of several tasks do not mix; where it fails there is no one to tell.
        let bytes = Array(line.utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    private static func now() -> String { Date().formatted(.iso8601) }

    /// Whether standard error is the journal's stream, as systemd says by naming its device and inode.
    private static var goesToJournal: Bool {
        var status = stat()
        guard let stream = ProcessInfo.processInfo.environment["JOURNAL_STREAM"],
            fstat(STDERR_FILENO, &status) == 0
        else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }
}

extension Logger.Level {
    /// The number that syslog and the journal use.
    fileprivate var priority: Int {
        switch self {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }
}
