import ArgumentParser
import Daemon
import Failures
import Foundation
import Glibc
import Jobs
import Logging
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
            SIGTERM stops it within ten seconds; SIGHUP makes it read its settings again.

            Every setting can be given in the settings file, in the environment or as a flag: limits: bytes is \
            DKP_LIMITS_BYTES and --limits-bytes. A flag beats the environment, which beats the file.
            """,
        version: Software.version)

    @Option(name: .long, help: ArgumentHelp("The settings file (YAML).", valueName: "file"))
    var config: String?

    @OptionGroup(title: "Settings")
    var flags: SettingsFlags

    @OptionGroup(title: "Settings of images without their own")
    var restorationFlags: RestorationFlags

    /// Parses and runs. Threads of the daemon may still wait for the disk when it ends.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            if !message.isEmpty {
                let answer: FileHandle = code == .success ? .standardOutput : .standardError
                // A reader that has gone away is no error.
                try? answer.write(contentsOf: Data((PrintableText.lines(message) + "\n").utf8))
            }
            ProgramEnd.now(code.rawValue)
        }
        ProgramEnd.now(ExitStatus.success.rawValue)
    }

    func run() async throws {
        // A reader of our log that goes away must not end the daemon.
        signal(SIGPIPE, SIG_IGN)
        // Until the services run and take signals over there is no worker to wait for, and every step of starting may
        // be the last.
        signal(SIGTERM) { _ in _exit(ExitStatus.success.rawValue) }
        signal(SIGINT) { _ in _exit(ExitStatus.success.rawValue) }
        signal(SIGHUP, SIG_IGN)
        do {
            let sources = SettingsSources(
                flags: flags.values.merging(restorationFlags.values) { first, _ in first },
                environment: ProcessInfo.processInfo.environment, file: config.map { FilePath(absolutePath($0)) })
            let settings = try sources.read()
            let level = settings.logLevel
            LoggingSystem.bootstrap { label in DaemonLog.handler(label: label, level: level) }
            let logger = Logger(label: "dkpd")
            do {
                try await Daemon(settings, from: sources, logger: logger).run()
            } catch let error as DaemonError {
                logger.critical("\(error)")
                throw ExitCode(error.exitStatus.rawValue)
            } catch {
                logger.critical("stopped by an error", metadata: ["reason": "\(error)"])
                throw ExitCode(ExitStatus.internalError.rawValue)
            }
        } catch let error as DaemonError {
            // The settings: before there is a log.
            DaemonLog.complain("dkpd: \(error)")
            throw ExitCode(error.exitStatus.rawValue)
        }
    }
}
