import ArgumentParser
import Restoration

/// The `dkp` command.
@main
struct DkpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dkp",
        abstract: "Restores low-resolution images whose blur is unknown.",
        discussion: """
            Exit codes: 0 done; 64 usage; 65 bad input data; 66 no such input; 69 a library or the weights are not there; \
            70 internal error; 73 cannot create output; 74 I/O error, or another process works on the job; \
            75 stopped by a signal, checkpoint written, run again to go on; 77 a newer worker has taken the job over; \
            78 bad settings.
            """,
        version: Software.version,
        subcommands: [
            RestoreCommand.self, WorkCommand.self, DegradeCommand.self, EvaluateCommand.self, InspectCommand.self,
            SampleCommand.self, SampleSceneCommand.self, BenchmarkCommand.self, StatusCommand.self, SubmitCommand.self,
            CancelCommand.self, RetryCommand.self, LogsCommand.self,
        ])

    /// Ends the program with what the parser has to say: help, or a usage error, which may repeat names of files.
    private static func end(_ error: any Error) -> Never {
        let code = exitCode(for: error)
        guard code != .success else { exit(withError: error) }
        let message = fullMessage(for: error)
        if !message.isEmpty { Terminal.printError(message) }
        exit(withError: code)
    }

    /// Parses, runs, and turns errors into the exit codes that scripts and the daemon rely on.
    static func main() {
        var command: any ParsableCommand
        do {
            command = try parseAsRoot()
        } catch {
            end(error)
        }
        do {
            try command.run()
        } catch  where error is ExitCode || exitCode(for: error) != .failure {
            // The parser's own: help, the version and usage errors. Any other error counts as a failure to it.
            end(error)
        } catch {
            let failure = Failure(StateOptions.asFailure(error))
            Terminal.printError("dkp: \(failure)")
            exit(withError: ExitCode(failure.exitCode))
        }
    }
}
