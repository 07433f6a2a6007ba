import ArgumentParser
import Failures
import Jobs

/// The `dkp` command.
@main
struct DkpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dkp",
        abstract: "Restores low-resolution images whose blur is unknown.",
        discussion: """
            To begin with:
              dkp restore photo.png -o restored   restores one image here and now
              dkp submit photo.png                hands it to the daemon
              dkp status                          shows what the daemon has and does
            """,
        version: Software.version,
        subcommands: [
            RestoreCommand.self, DeconvolveCommand.self, SubmitCommand.self, StatusCommand.self, LogsCommand.self,
            CancelCommand.self,
            RetryCommand.self, InspectCommand.self, EvaluateCommand.self, DegradeCommand.self, SampleCommand.self,
            SampleSceneCommand.self, WorkCommand.self,
        ])

    /// What follows the help of the command itself.
    private static let exitCodes = """
        Exit codes:
          \(ExitStatus.success.rawValue) done; \(ExitStatus.usage.rawValue) usage; \(ExitStatus.badInput.rawValue) bad \
        input data, or more than the memory there is; \(ExitStatus.noInput.rawValue) no such input, or it may not be read;
          \(ExitStatus.unavailable.rawValue) a library, the weights or a newer version of the program is not there; \
        \(ExitStatus.internalError.rawValue) internal error;
          \(ExitStatus.cannotCreate.rawValue) cannot create output; \(ExitStatus.inputOutput.rawValue) I/O error, or \
        another process works on the job; \(ExitStatus.interrupted.rawValue) stopped by a signal, checkpoint
          written, run again to go on; \(ExitStatus.superseded.rawValue) a newer worker has taken the job over; \
        \(ExitStatus.badSettings.rawValue) bad settings.
        """

    /// Parses, runs, and turns errors into the exit codes that scripts and the daemon rely on.
    static func main() {
        var command: any ParsableCommand
        do {
            command = try parseAsRoot()
        } catch {
            if let sentence = CommandNames.mistake(in: CommandLine.arguments.dropFirst()) {
                Terminal.printError(
                    "Error: \(sentence)\nUsage: dkp <subcommand>\n  See 'dkp --help' for the subcommands.")
                ProgramEnd.now(ExitStatus.usage.rawValue)
            }
            answer(error)
        }
        do {
            try command.run()
        } catch  where error is ExitCode || exitCode(for: error) != .failure {
            answer(error)
        } catch {
            let failure = FailureReport(error)
            Terminal.printError("dkp: \(failure)")
            ProgramEnd.now(failure.exitStatus.rawValue)
        }
        ProgramEnd.now(ExitStatus.success.rawValue)
    }

    /// The parser's own answers: help, the version and usage errors, which may repeat names of files. Any other error
    /// counts as a failure to it.
    private static func answer(_ error: any Error) -> Never {
        let code = exitCode(for: error)
        let message = fullMessage(for: error)
        if message == helpMessage() {
            print(message + "\n\n" + exitCodes)
        } else if code == .success {
            print(message)
        } else if !message.isEmpty {
            Terminal.printError(message)
        }
        ProgramEnd.now(code.rawValue)
    }
}

/// The names of the commands, for those who mistype one.
enum CommandNames {
    /// What is wrong if the first of the arguments is meant for a command and is none; nil otherwise.
    static func mistake(in arguments: some Collection<String>) -> String? {
        let names = DkpCommand.configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
        guard let first = arguments.first, !first.hasPrefix("-"), !names.contains(first) else { return nil }
        let meant = Spelling.nearest(to: first, among: names).map { "; \($0) may be meant" } ?? ""
        return "\"\(first)\" is no command\(meant)"
    }
}
