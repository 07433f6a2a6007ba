import ArgumentParser
import Daemon
import Failures
import Foundation

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows the daemon's jobs, and its latest results and rejections.",
        discussion: "Reads the state folder, so it tells the same whether the daemon is up or down.")

    @Flag(help: "Print JSON.")
    var json = false
    @Flag(help: "Go on showing, once a second, until interrupted.")
    var watch = false
    @OptionGroup
    var state: StateOptions

    func run() throws {
        let folder = try state.folder()
        var isFirst = true
        repeat {
            if !isFirst { Thread.sleep(forTimeInterval: 1) }
            isFirst = false
            let survey = try StateSurvey(folder)
            let text = json ? PrintableText.json(survey.json) : StatusTable(survey).text
            // Home and clear to the end: no flicker, and what was there before is gone.
            let clear = watch && !json && isatty(STDOUT_FILENO) == 1 ? "\u{1B}[H\u{1B}[J" : ""
            // Where the reader has gone nothing is left to do.
            guard Terminal.output(clear + text) else { return }
        } while watch
    }
}
