import Foundation
import Glibc
import Logging
import Restoration
import SystemPackage

extension Scheduler {
    /// How often a running worker is looked at.
    static let glance = Duration.seconds(1)

    /// How many processors there are for workers.
    var processors: Int { DaemonSettings.processors }

    /// How many threads a job computes with: its own number, which its result depends on, else the daemon's.
    func threads(of id: JobID) -> Int {
        (try? JobDirectory.open(folder.job(id).string))?.record.settings.threads ?? settings.threadsPerWorker
    }

    /// Stays with a worker until it has ended. When the task is cancelled, or the operator gives the job up, the worker
    /// is asked to stop.
    func attend(_ run: WorkerRun) async throws -> WorkerEnd {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                do {
                    while !Cancellation.isRequested(run.handle.job, in: folder, files) {
                        if let progress = progress(in: run.directory) { await queue.note(progress, of: run.handle.job) }
                        try JobLogLimit.keep(run.directory.appending(JobFiles.log))
                        try await Task.sleep(for: Self.glance)
                    }
                } catch is CancellationError {
                } catch {
                    logger.warning("a job's log cannot be kept short", metadata: ["reason": "\(error)"])
                }
                await executor.cancel(run)
            }
            defer { group.cancelAll() }
            return try await executor.end(of: run)
        }
    }

    private func progress(in job: FilePath) -> JobTable.Progress? {
        let path = job.appending(JobFiles.progress).string
        guard let progress = try? JobJSON.decode(JobProgress.self, fromFile: path), progress.total > 0 else {
            return nil
        }
        return JobTable.Progress(fraction: progress.fraction, eta: progress.eta)
    }

    /// How long until there is something to look at that rings no bell: a job's moment, the disk, a cancellation; nil
    /// with nothing to wait for.
    func nextLook(isPaused: Bool) async -> Duration? {
        if !isPaused, await queue.isEmpty { return nil }
        guard !isPaused, let delay = await queue.delay, delay > .zero else { return Self.glance }
        return min(delay, Self.glance)
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
            freeSpaceFloor: settings.freeSpaceFloor, updated: Date())
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
    mutating func news(among jobs: () async -> [JobID], _ files: some StateFileSystem) async -> [JobID] {
        guard ContinuousClock.now >= nextLook, let status = try? files.status(folder.requests), status != seen else {
            return []
        }
        seen = status
        nextLook = .now + Scheduler.glance
        let requested = Cancellation.requested(in: folder, files)
        return requested.isEmpty ? [] : await jobs().filter(requested.contains)
    }
}

/// Keeps a job's log from filling the disk, whatever a library prints into it.
package enum JobLogLimit {
    /// The most that a log may hold, in bytes.
    package static let most = 16 << 20

    /// Cuts a log that has grown over the limit to half of that: the beginning, which says what was done, is kept, and
    /// what comes next is added to it.
    package static func keep(_ path: FilePath, most: Int = most) throws {
        guard let size = try LocalFileSystem().status(path)?.size, size > most else { return }
        let descriptor = try FileDescriptor.open(path, .writeOnly, options: [.append, .noFollow, .closeOnExec])
        try descriptor.closeAfter {
            guard ftruncate(descriptor.rawValue, off_t(most / 2)) == 0 else { throw FileError.last("shorten", path) }
            try descriptor.writeAll("\n[the log had grown over \(most) bytes and was cut here]\n".utf8)
        }
    }
}
