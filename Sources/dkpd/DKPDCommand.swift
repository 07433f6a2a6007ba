import ArgumentParser
import Daemon
import Glibc
import Logging
import Restoration
import SystemPackage

/// `dkpd`: command line and wiring only.
@main
struct DKPDCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dkpd",
        abstract: "Restores every image that is dropped into its inbox.",
        discussion: """
            Images dropped into STATE/inbox are restored one after the other and end in STATE/outbox, or with the \
            reason in STATE/rejected. Kill it whenever you like: the next start goes on from the last checkpoints. \
            SIGTERM stops it within ten seconds.
            """,
        version: Software.version)

    @Option(name: .long, help: ArgumentHelp("The settings file (YAML).", valueName: "file"))
    var config: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The state folder, in place of the settings file's state_dir.", valueName: "folder"))
    var stateDir: String?

    func run() async throws {
        // A reader of our log that goes away must not end the daemon.
        signal(SIGPIPE, SIG_IGN)
        // Until the services run and take signals over there is no worker to wait for, and every step of starting may
        // be the last.
        signal(SIGTERM) { _ in _exit(0) }
        signal(SIGINT) { _ in _exit(0) }
        do {
            var settings = try config.map { try DaemonSettings(file: Self.absolute($0)) } ?? DaemonSettings()
            if let stateDir { settings.stateDirectory = Self.absolute(stateDir) }
            let level = settings.logLevel
            LoggingSystem.bootstrap { label in DaemonLog.handler(label: label, level: level) }
            let logger = Logger(label: "dkpd")
            do {
                try await Daemon(settings, logger: logger).run()
            } catch let error as DaemonError {
                logger.critical("\(error)")
                throw ExitCode(error.exitCode)
            } catch {
                logger.critical("stopped by an error", metadata: ["reason": "\(error)"])
                throw ExitCode(ExitStatus.internalError.rawValue)
            }
        } catch let error as DaemonError {
            // The settings: before there is a log.
            DaemonLog.complain("dkpd: \(error)")
            throw ExitCode(error.exitCode)
        }
    }

    /// A path given on the command line, from the working directory.
    private static func absolute(_ text: String) -> FilePath {
        let path = FilePath(text)
        guard path.isRelative, let directory = getcwd(nil, 0) else { return path.lexicallyNormalized() }
        defer { free(directory) }
        return FilePath(platformString: directory).pushing(path).lexicallyNormalized()
    }
}
