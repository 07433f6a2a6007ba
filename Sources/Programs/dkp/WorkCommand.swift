import ArgumentParser
import Failures
import Jobs
import Restoration

struct WorkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work",
        abstract: "Does the work of one job directory, as the daemon's workers do.",
        discussion: """
            It may be stopped or killed at any time and run again; the result is JOBDIR/result. SIGTERM, SIGINT and SIGHUP \
            stop it with a checkpoint.
            """)

    @Argument(help: ArgumentHelp("The job directory.", valueName: "JOBDIR"))
    var directory: String

    @Option(
        help: ArgumentHelp(
            "The number of the lease that was taken for this worker (default: takes one itself).", valueName: "N"))
    var lease: Int?

    func run() throws {
        let stop = StopRequest()
        try stop.requestOnSignals(tell: Terminal.interject)
        let job = try JobDirectory.open(directory)
        let limits = try InputLimitOptions.limits()
        let display = ProgressDisplay()
        let outcome: Worker.Outcome
        do {
            outcome = try Worker(job, stop: stop, lease: lease, limits: limits, observe: display.show).run()
        } catch {
            display.finishLine()
            throw error
        }
        display.finishLine()
        if case .interrupted = outcome { throw ExitCode(ExitStatus.interrupted.rawValue) }
    }
}
