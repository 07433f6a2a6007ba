import Failures
import Foundation

/// Prints text for people to standard output. It stands in front of Swift's own `print` in the whole program, so that
/// whatever names, logs and files bring along reaches a terminal escaped.
func print(_ text: String, terminator: String = "\n") {
    Terminal.output(PrintableText.lines(text) + terminator)
}

/// Prints JSON to standard output: escaped too, and still JSON of the same value.
func printJSON(_ json: String) {
    Terminal.output(PrintableText.json(json))
}

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

    /// Writes text as it is, with what steers the terminal; a reader that has gone away is no error.
    static func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }

    /// Writes a line in the place of a live one, which is written anew afterwards.
    static let interject: @Sendable (String) -> Void = { text in
        write((isInteractive ? "\r\u{1B}[K" : "") + PrintableText.lines(text) + "\n")
    }

    /// Writes a line, or several, with what could steer the terminal escaped.
    static func printError(_ text: String) { write(PrintableText.lines(text) + "\n") }

    /// Writes results, which are fit for a terminal already.
    /// - Returns: false if the reader has gone away.
    @discardableResult
    static func output(_ text: String) -> Bool {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
            return true
        } catch {
            return false
        }
    }
}
