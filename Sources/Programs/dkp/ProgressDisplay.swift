import Failures
import Foundation
import Jobs
import Restoration

/// Shows a worker's progress: one live line on a terminal, plain lines every few seconds elsewhere.
final class ProgressDisplay {
    private let clock = ContinuousClock()
    private let isInteractive: Bool
    private let interval: Duration
    private var lastShown: ContinuousClock.Instant?
    private var lastPhase = ""
    private var lineIsOpen = false

    init(isInteractive: Bool = Terminal.isInteractive) {
        self.isInteractive = isInteractive
        interval = isInteractive ? .milliseconds(100) : .seconds(5)
    }

    /// Takes what the worker tells.
    func show(_ event: Worker.Event) {
        switch event {
        case .outline(let text):
            finishLine()
            Terminal.printError(text)
        case .notice(let text):
            finishLine()
            Terminal.printError("note: \(text)")
        case .progress(let progress):
            let now = clock.now
            let isNews = progress.phase != lastPhase || progress.step == progress.total
            guard isNews || lastShown.map({ now - $0 >= interval }) ?? true else { return }
            lastShown = now
            lastPhase = progress.phase
            if isInteractive {
                Terminal.write("\r\u{1B}[K" + PrintableText.line(Self.line(progress, columns: Terminal.width)))
                lineIsOpen = true
            } else {
                Terminal.printError(Self.words(progress))
            }
        }
    }

    /// Ends the live line, so that other text begins on its own.
    func finishLine() {
        if lineIsOpen { Terminal.write("\n") }
        lineIsOpen = false
    }

    /// The live line for a terminal of so many columns: short enough that what is typed meanwhile, which the terminal shows
    /// behind it ("^C"), wraps no line, as that could not be written over.
    static func line(_ progress: JobProgress, columns: Int) -> String {
        let columns = max(1, columns - 1 - roomForTyping)
        return String(bar(progress, width: columns).prefix(columns))
    }

    /// Columns for three "^C".
    private static let roomForTyping = 6

    static func words(_ progress: JobProgress) -> String {
        guard progress.total > 0 else { return progress.phase }
        var text = "step \(progress.step)/\(progress.total)"
        if let loss = progress.loss { text += String(format: "  loss %.3g", loss) }
        if let rate = progress.rate { text += String(format: "  %.2f steps/s", rate) }
        if let eta = progress.eta, progress.step < progress.total { text += "  ETA \(duration(eta))" }
        return text + "  \(progress.phase)"
    }

    static func bar(_ progress: JobProgress, width: Int) -> String {
        let words = words(progress)
        let room = min(width - words.count - 4, 40)
        guard progress.total > 0, room >= 8 else { return words }
        let filled = Int((progress.fraction * Double(room)).rounded(.down))
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: room - filled) + "] " + words
    }

    /// "7 s", "3:05", "2:03:00".
    static func duration(_ seconds: Double) -> String {
        let total = seconds.isFinite ? Int(min(max(seconds, 0), 1e8).rounded()) : 0
        if total < 60 { return "\(total) s" }
        let parts = total < 3600 ? [total / 60, total % 60] : [total / 3600, total / 60 % 60, total % 60]
        return parts.enumerated().map { $0 == 0 ? String($1) : ($1 < 10 ? "0\($1)" : String($1)) }
            .joined(separator: ":")
    }
}
