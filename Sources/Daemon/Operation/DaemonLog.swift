import Logging

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
}
