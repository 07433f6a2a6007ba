import Files
import Foundation
import Glibc
public import Logging
import ServiceLifecycle
import SystemPackage
import UnixSignals

/// The daemon: watches the inbox, works the jobs off, stops cleanly.
public struct Daemon: Sendable {
    private let settings: DaemonSettings
    private let sources: SettingsSources
    private let logger: Logger

    /// Creates a daemon that touches nothing until ``run()``.
    /// - Parameter sources: where the settings came from and are read again while it runs.
    public init(_ settings: DaemonSettings, from sources: SettingsSources = SettingsSources(), logger: Logger) {
        self.settings = settings
        self.sources = sources
        self.logger = logger
    }

    /// Runs until SIGTERM or SIGINT; returns when every worker has written its checkpoint.
    /// - Throws: ``DaemonError`` if it cannot start, and what made a service end.
    public func run() async throws {
        try settings.checkProcessors()
        let threads: BlockingThreads
        do throws(Errno) {
            threads = try BlockingThreads()
        } catch {
            throw DaemonError(.threads, "no thread can be started: \(error); raise the limit on the user's processes")
        }
        try await withTaskExecutorPreference(threads) { try await run(on: threads) }
    }

    /// - Parameter threads: what this runs on.
    private func run(on threads: BlockingThreads) async throws {
        let folder = StateFolder(settings.stateDirectory.lexicallyNormalized())
        let files = LocalFileSystem()
        try folder.create(files)
        // Others drop, collect and ask in the folders made for that, and nowhere else.
        umask(umask(0o077) | 0o022)
        let lock = try StateLock(folder)
        let worker = try workerProgram()
        do throws(FileError) { try JobOwnership.close(folder.jobs, files) } catch {
            throw DaemonError(.stateFolder, "\(error)")
        }
        let live = LiveSettings(settings)
        let claim = Claim(folder, files: files) { Claim.Terms(live.current) }
        let publication = Publication(folder, files: files, logger: logger)
        let queue = JobQueue()
        try await recover(
            Recovery(folder, files: files, claim: claim, publication: publication), in: folder, files, into: queue)

        let manager = ServiceManager(logger: logger)
        let (schedulerHeartbeat, inboxHeartbeat) = (Heartbeat(), Heartbeat())
        let scheduler = Scheduler(
            folder: folder, files: files, publication: publication,
            executor: LocalExecutor(
                program: worker, stopTime: DaemonSettings.stopTime,
                limits: .init(memory: settings.memoryLimit, niceness: settings.niceness),
                threads: threads, inputLimits: { live.current.inputLimits }),
            queue: queue, live: live, manager: manager, heartbeat: schedulerHeartbeat,
            logger: logger)
        let inbox = InboxService(
            folder: folder, files: files, claim: claim, queue: queue, live: live,
            heartbeat: inboxHeartbeat,
            logger: logger,
            onReady: {
                manager.ready()
                logger.info("watching", metadata: ["inbox": "\(folder.inbox.readable)"])
            })
        let reloader = SettingsReloader(
            sources: sources, live: live, logger: logger, onBegin: { manager.reloading() }, onEnd: { manager.ready() })
        // Services stop in the reverse order: first nothing more is claimed, then the workers stop.
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: scheduler, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup, serviceName: "scheduler"),
                    .init(
                        service: inbox, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup, serviceName: "inbox"),
                    .init(
                        service: Watchdog(manager, heartbeats: [schedulerHeartbeat, inboxHeartbeat]),
                        serviceName: "watchdog"),
                    .init(
                        service: reloader, successTerminationBehavior: .ignore, failureTerminationBehavior: .ignore,
                        serviceName: "settings"),
                    .init(
                        service: StateKeeper(folder: folder, lock: lock, files: files, logger: logger),
                        successTerminationBehavior: .ignore, failureTerminationBehavior: .gracefullyShutdownGroup,
                        serviceName: "state"),
                    .init(service: StoppingNotice(manager: manager), serviceName: "stopping notice"),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
        logger.info("stopped")
        withExtendedLifetime(lock) {}
    }

    private func recover(
        _ recovery: Recovery, in folder: StateFolder, _ files: LocalFileSystem, into queue: JobQueue
    ) async throws {
        let found: (jobs: [Recovery.Found], warnings: [String])
        do {
            found = try recovery.run()
        } catch {
            throw DaemonError(.stateFolder, "\(error)")
        }
        for warning in found.warnings { logger.warning("\(warning)") }
        if !found.jobs.isEmpty {
            logger.notice("going on with jobs of an earlier run", metadata: ["count": "\(found.jobs.count)"])
        }
        for job in found.jobs {
            // No worker is at it until it has its turn: who looks is not to be told otherwise.
            if job.ledger.state == "running" {
                var ledger = job.ledger
                ledger.state = "waiting"
                try? ledger.write(to: folder.job(job.id), files)
            }
            await queue.submit(job)
        }
    }

    /// The worker's path, checked before anything is claimed.
    private func workerProgram() throws(DaemonError) -> FilePath {
        let program: FilePath
        if let worker = settings.worker {
            program = worker
        } else {
            guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
                throw DaemonError(.worker, "the daemon's own path cannot be read; give the setting \"worker\"")
            }
            program = FilePath(own).removingLastComponent().appending("dkp")
        }
        guard program.withPlatformString({ access($0, X_OK) }) == 0 else {
            throw DaemonError(
                .worker,
                "\(program.readable): no program that can be run; give the path of dkp as the setting \"worker\"")
        }
        return program
    }
}

/// Tells the service manager that the end has begun. Started last, so it is the first to hear of it.
private struct StoppingNotice: Service {
    let manager: ServiceManager

    func run() async throws {
        try? await gracefulShutdown()
        manager.stopping(within: DaemonSettings.stopTime + .seconds(3))
    }
}
