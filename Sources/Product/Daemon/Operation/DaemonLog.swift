import Failures
import Glibc
public import Logging

/// Where the daemon's log goes.
public enum DaemonLog {
    /// The journal, with fields, when standard error leads there; standard error otherwise.
    /// - Parameters:
    ///   - label: the logger's label; the journal's identifier of the program.
    ///   - level: the least level that is written.
    public static func handler(label: String, level: Logger.Level) -> any LogHandler {
        if Journal.isStandardError { return JournalLogHandler(label: label, level: level) }
        return StandardErrorLogHandler(level: level)
    }

    /// Says why the daemon cannot start, before its settings tell how to log.
    public static func complain(_ sentence: String) {
        let prefix = Journal.isStandardError ? "<\(Logger.Level.critical.priority)>" : ""
        let line = Array((prefix + PrintableText.line(sentence) + "\n").utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
