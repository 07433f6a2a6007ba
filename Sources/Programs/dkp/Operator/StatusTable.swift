import Daemon
import Failures
import Foundation

/// A survey as text for a terminal.
struct StatusTable {
    private let survey: StateSurvey

    /// More jobs than these are only counted.
    private static let longest = 20

    init(_ survey: StateSurvey) { self.survey = survey }

    var text: String {
        var lines = [daemonLine, countsLine]
        if !survey.jobs.isEmpty {
            lines.append("")
            lines += Self.aligned(
                [["JOB", "NAME", "STATE", "DONE", "STEPS/S", "ETA", "REASON"]]
                    + survey.jobs.prefix(Self.longest).map(Self.row))
            if survey.jobs.count > Self.longest { lines.append("... and \(survey.jobs.count - Self.longest) more") }
        }
        lines += endings("latest results", survey.results) + endings("latest rejections", survey.rejections)
        return lines.map { PrintableText.line($0) + "\n" }.joined()
    }

    private var daemonLine: String {
        guard survey.daemon.isUp else { return "dkpd is down (\(survey.folder))" }
        let process = "dkpd is up, process \(survey.daemon.process ?? "unknown") (\(survey.folder))"
        return survey.daemon.reason.map { "\(process), paused: \($0)" } ?? process
    }

    private var countsLine: String {
        let counts = survey.counts
        return "\(counts.inbox) in the inbox, \(counts.claimed) being claimed, \(counts.waiting) waiting, "
            + "\(counts.running) running, \(counts.paused) paused, \(counts.done) done, \(counts.rejected) rejected"
    }

    private static func row(_ job: StateSurvey.Job) -> [String] {
        var percent = ""
        if let step = job.step, let total = job.total { percent = "\(100 * step / max(1, total)) %" }
        return [
            job.id, job.name, job.state.rawValue, percent, job.rate.map { String(format: "%.2f", $0) } ?? "",
            job.eta.map { JobTable.words(seconds: $0) } ?? "", job.reason ?? "",
        ]
    }

    private func endings(_ title: String, _ endings: [StateSurvey.Ending]) -> [String] {
        guard !endings.isEmpty else { return [] }
        let rows = endings.map { ["  " + $0.name, $0.time.formatted(.iso8601), $0.reason ?? ""] }
        return ["", title] + Self.aligned(rows)
    }

    /// Rows as lines, each column as wide as its widest entry (the last as it is).
    private static func aligned(_ rows: [[String]]) -> [String] {
        let count = rows.first?.count ?? 0
        let rows = rows.map { $0.map(PrintableText.line) }
        let widths = (0..<count).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return cells.joined(separator: "  ").trimmingSuffix { $0 == " " }
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(where isTrimmed: (Character) -> Bool) -> String {
        var text = self
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return text
    }
}
