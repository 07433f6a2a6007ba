import ArgumentParser
import Daemon
import SystemPackage

struct RetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Puts a rejected image back into the inbox, with the settings that it had.")

    @Argument(help: jobHelp)
    var job: String
    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A setting in place of the one it had.", valueName: "KEY=VALUE"))
    var settings: [String] = []
    @Flag(help: "Leave the settings that it had away, and take the daemon's.")
    var withoutSettings = false
    @OptionGroup
    var state: StateOptions

    func run() throws {
        let folder = try state.folder()
        let changes = try settings.map { try Submission.pair($0, source: "--set") }
        let found = try JobFinder(folder).find(job, in: [.rejected])
        let outcome = try Retrial(folder).retry(found, changes: changes, keepsSettings: !withoutSettings)
        print(outcome.place?.string ?? "its image had been put back already; what was left of the rejection is removed")
        if !outcome.left.isEmpty {
            let names = outcome.left.joined(separator: ", ")
            Terminal.printError("note: left in \(found.path.string), not being the daemon's: \(names)")
        }
    }
}
