import Foundation

/// Text on standard error, where progress and errors go: standard output is for results.
enum Terminal {
    /// Whether a person watches.
    static let isInteractive = isatty(STDERR_FILENO) == 1

    /// The number of columns, 80 if unknown.
    static var width: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Writes text as it is; a reader that has gone away is no error.
    static func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// Writes a line in the place of a live one, which is written anew afterwards.
    static let interject: @Sendable (String) -> Void = { write((isInteractive ? "\r\u{1B}[K" : "") + $0 + "\n") }

    /// Writes a line.
    static func printError(_ text: String) { write(text + "\n") }
}
