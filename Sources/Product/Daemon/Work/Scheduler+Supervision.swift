import Files
import Foundation
import Glibc
import Jobs
import Logging
import SystemPackage

extension Scheduler {
    /// How often a running worker is looked at.
    static let checkInterval = Duration.seconds(1)

    /// How many processors there are for workers.
    var processors: Int { DaemonSettings.processors }

    /// How many threads a job computes with: its own number, which its result depends on, else the daemon's.
    func threads(of id: JobID) -> Int {
        (try? JobDirectory.open(folder.job(id).string))?.record.settings.threads ?? settings.threadsPerWorker
    }

    /// Stays with a worker until it has ended. When the task is cancelled, the operator gives the job up, or the worker has
    /// not got on for longer than `stall_time` allows, it is asked to stop.
    /// - Returns: how it ended, and for how long it had been silent if that is why it was ended.
    func attend(_ run: WorkerRun) async throws -> (end: WorkerEnd, silence: Duration?) {
        try await withThrowingTaskGroup(of: Duration?.self) { group in
            group.addTask { await watch(run) }
            defer { group.cancelAll() }
            let end = try await executor.end(of: run)
            group.cancelAll()
            return (end, try await group.next() ?? nil)
        }
    }

    /// Looks after a worker until there is a reason to stop it, and stops it.
    /// - Returns: for how long it had been silent if that was the reason.
    private func watch(_ run: WorkerRun) async -> Duration? {
        var watch = ProgressWatch()
        var stall: Duration?
        var hasComplained = false
        while !Cancellation.isRequested(run.handle.job, in: folder, files) {
            let found = progress(in: run.directory)
            let silence = watch.look(found, at: .now)
            let limit = settings.stallTime.map { watch.limit(stallTime: $0) }
            // Told well before it has consequences.
            let isLong = limit.map { silence >= $0 / 2 } ?? false
            await queue.note(
                found.flatMap { $0.total > 0 ? .init(fraction: $0.fraction, eta: $0.eta) : nil },
                silence: isLong ? silence : nil, of: run.handle.job)
            if let limit, silence >= limit {
                logger.warning(
                    "a worker does not get on; it is ended",
                    metadata: ["job": "\(run.handle.job)", "reason": "\(JobTable.words(silence: silence))"])
                stall = silence
                break
            }
            do {
                try BoundedLog(appendingTo: run.directory.appending(JobFiles.log).string).cut()
            } catch {
                if !hasComplained {
                    logger.warning("a job's log cannot be kept short", metadata: ["reason": "\(error)"])
                }
                hasComplained = true
            }
            do { try await Task.sleep(for: Self.checkInterval) } catch { break }
        }
        await executor.cancel(run)
        return stall
    }

    private func progress(in job: FilePath) -> JobProgress? {
        try? JobJSON.decode(JobProgress.self, fromFile: job.appending(JobFiles.progress).string)
    }

    /// How long until there is something to look at that wakes nobody: a job's moment, the disk, a cancellation; nil
    /// with nothing to wait for.
    func nextLook(isPaused: Bool) async -> Duration? {
        if !isPaused, await queue.isEmpty { return nil }
        guard !isPaused, let delay = await queue.delay, delay > .zero else { return Self.checkInterval }
        return min(delay, Self.checkInterval)
    }

    /// Tells the log that work is no longer begun, or is again.
    func tell(_ obstacle: String?) async {
        let before = await queue.obstacle
        if let obstacle, before == nil {
            logger.warning("paused: no work is begun", metadata: ["reason": "\(obstacle)"])
        } else if obstacle == nil, before != nil {
            logger.notice("going on: there is room again")
        }
    }

    /// Tells the service manager and whoever reads the state folder how things stand.
    func report(_ state: String, _ reason: String?) async {
        let line = await queue.summary
        if state != "stopping" && state != "stopped" { manager.status(line) }
        let status = DaemonStatus(
            process: getpid(), state: state, reason: reason, line: line, paused: await queue.paused,
            stalled: await queue.stalled, freeSpaceFloor: settings.freeSpaceFloor, updated: Date())
        if await queue.isNews(status) { status.write(to: folder) }
    }

    /// Removes old results for as long as the daemon runs.
    func removeOldResults() async {
        let retention = Retention(folder, files: files, logger: logger)
        repeat {
            if let days = settings.keepResults { retention.removeResults(olderThan: days, now: Date()) }
            do { try await Task.sleep(for: Retention.interval) } catch { return }
        } while true
    }
}

/// Notices that jobs are given up: whoever gives one up makes a file in the folder of requests, whose time of change is
/// therefore all that has to be looked at, once a second at most.
struct CancellationWatch {
    private let folder: StateFolder
    private var seen: FileStatus?
    private var nextLook = ContinuousClock.now

    init(_ folder: StateFolder) { self.folder = folder }

    /// Those of the jobs that were given up, if anything can have happened since the last look.
    mutating func news(among jobs: () async -> [JobID], _ files: some FileSystem) async -> [JobID] {
        guard ContinuousClock.now >= nextLook, let status = try? files.status(folder.requests), status != seen else {
            return []
        }
        seen = status
        nextLook = .now + Scheduler.checkInterval
        let requested = Cancellation.requested(in: folder, files)
        return requested.isEmpty ? [] : await jobs().filter(requested.contains)
    }
}
