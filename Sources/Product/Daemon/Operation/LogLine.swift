import Failures
import Logging

/// Log events as people read them.
enum LogLine {
    /// The message and its metadata in one line: control characters in what strangers named are escaped.
    static func text(of event: LogEvent, metadata: Logger.Metadata) -> String {
        var line = event.message.description
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { line += " \(key)=\"\(value)\"" }
        return PrintableText.line(line)
    }
}

extension Logger.Level {
    /// The number that syslog and the journal use.
    var priority: Int {
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
