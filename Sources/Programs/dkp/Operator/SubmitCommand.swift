import ArgumentParser
import Daemon
import SystemPackage

struct SubmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Copies images into the daemon's inbox, with settings of their own if asked.",
        discussion: """
            Each image appears in the inbox whole, its settings before it. They are checked first, and nothing is copied if \
            one cannot be used. What is printed is where each image was put.
            """)

    @Argument(help: ArgumentHelp("Images.", valueName: "FILE"))
    var files: [String]
    @Option(name: .customLong("set"), help: ArgumentHelp("A setting for these images.", valueName: "KEY=VALUE"))
    var settings: [String] = []
    @OptionGroup
    var state: StateOptions

    func run() throws {
        let pairs = try settings.map { try Submission.pair($0, source: "--set") }
        let text = pairs.isEmpty ? nil : try Submission.settingsText(pairs, source: "--set")
        let submission = Submission(try state.folder())
        for file in files { print(try submission.submit(file, settings: text).string) }
    }
}
