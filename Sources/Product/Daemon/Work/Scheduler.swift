import Failures
import Files
import Foundation
import Glibc
import Jobs
import Logging
import ServiceLifecycle
import SystemPackage

/// Works the jobs off: starts workers, judges how they ended, publishes and rejects, for as long as the daemon runs.
/// When it is asked to stop, every worker writes its checkpoint first.
struct Scheduler: Service {
    let folder: StateFolder
    let files: any FileSystem
    let publication: Publication
    let executor: any Executor
    let queue: JobQueue
    let live: LiveSettings
    let manager: ServiceManager
    let heartbeat: Heartbeat
    let logger: Logger

    /// The settings in force now.
    var settings: DaemonSettings { live.current }

    func run() async throws {
        heartbeat.wakes(by: queue.wakeup)
        await withDiscardingTaskGroup { group in
            group.addTask { await removeOldResults() }
            var guardian = DiskGuard()
            var cancellations = CancellationWatch(folder)
            for await _ in queue.wakeup.wakeups.cancelOnGracefulShutdown() {
                heartbeat.beat()
                let obstacle = guardian.update(
                    free: DiskGuard.freeSpace(at: folder.jobs), floor: settings.freeSpaceFloor)
                await tell(obstacle)
                await queue.setObstacle(obstacle)
                while let job = await queue.takeSettled() { group.addTask { await work(on: job.id, job.ledger) } }
                while !Task.isShuttingDownGracefully,
                    let job = await queue.takeNext(
                        workers: settings.workers, processors: processors, need: threads)
                {
                    group.addTask { await work(on: job.id, job.ledger) }
                }
                for id in await cancellations.news(among: { await queue.identifiers }, files) {
                    if let job = await queue.take(id) { group.addTask { await work(on: job.id, job.ledger) } }
                }
                await report(guardian.isPaused ? "paused" : "running", obstacle)
                if let delay = await nextLook(isPaused: guardian.isPaused) { queue.wakeup.wake(after: delay) }
            }
            await report("stopping", nil)
            group.cancelAll()
        }
        await report("stopped", nil)
    }

    /// What is to become of a job after one turn.
    private enum Turn {
        case done
        case again(after: Duration, pause: String? = nil)
    }

    /// Takes a running job as far as it goes now.
    private func work(on id: JobID, _ ledger: JobLedger) async {
        let before = ledger.reason
        var ledger = ledger
        let turn: Turn
        do {
            turn = try await takeTurn(id, &ledger)
        } catch {
            let reason = "\(error)"
            // Said once: a job that cannot be read stays so through many turns.
            if reason != before {
                logger.error(
                    "cannot go on with a job now, will try again",
                    metadata: ["job": "\(id)", "name": "\(ledger.name)", "reason": "\(reason)"])
            }
            turn = .again(after: settings.retryDelay, pause: reason)
        }
        switch turn {
        case .done: await queue.remove(id)
        case .again(let delay, let pause):
            note(
                id, &ledger, state: pause == nil ? "waiting" : "paused", reason: pause,
                isKnown: pause != nil && pause == before)
            await queue.putBack(id, ledger, after: delay, pause: pause)
        }
    }

    private func takeTurn(_ id: JobID, _ ledger: inout JobLedger) async throws -> Turn {
        let directory = folder.job(id)
        var run = WorkerRun(
            handle: WorkerHandle(job: id, lease: try JobLease.newest(in: directory.string)), directory: directory,
            threads: threads(of: id))
        var isAtWork = run.handle.lease > 0
        if isAtWork { isAtWork = try await executor.poll(run) == .running }
        if isAtWork, !executor.keepsEarlierRuns {
            logger.info(
                "worker of an earlier daemon is stopped", metadata: ["job": "\(id)", "name": "\(ledger.name)"])
            await executor.cancel(run)
            _ = try await executor.end(of: run)
            isAtWork = false
        }
        if !isAtWork {
            for note in try JobRepair(files).repair(directory) {
                logger.warning(
                    "a job's directory was put in order",
                    metadata: ["job": "\(id)", "name": "\(ledger.name)", "reason": "\(note)"])
            }
            if let turn = try settle(id, ledger) { return turn }
            guard run.threads <= processors else {
                let message = "threads is \(run.threads), but this machine has \(processors) processors"
                return try reject(id, ledger, code: "bad_settings", message: message)
            }
            run.handle.lease = try JobLease.take(directory.string).number
            try files.removeFile(directory.appending(JobFiles.error))
        }
        note(id, &ledger, state: "running", reason: nil)
        let logStart = try files.status(directory.appending(JobFiles.log))?.size ?? 0
        let began = Date()
        if isAtWork {
            logger.info("worker of an earlier daemon goes on", metadata: ["job": "\(id)", "name": "\(ledger.name)"])
        } else {
            logger.info("worker starts", metadata: ["job": "\(id)", "name": "\(ledger.name)"])
            try await executor.start(run)
        }
        let (end, silence) = try await attend(run)
        if let turn = try settle(id, ledger) { return turn }
        var verdict = WorkerVerdict(
            end, failure: failure(in: directory), message: lastLine(of: directory, from: logStart))
        // However it took its end: it had to be ended.
        if let silence { verdict = .failed("\(JobTable.words(silence: silence)); the worker was ended (\(end))") }
        return try judge(verdict, id, &ledger, .init(began: began, ended: Date(), outcome: "\(end)", message: ""))
    }

    /// Takes a job on which no worker is to its end, where what is in its directory says that it is there; nil if there
    /// is work to be done.
    private func settle(_ id: JobID, _ ledger: JobLedger) throws -> Turn? {
        switch try JobPhase(of: folder.job(id), files) {
        case .finished:
            logger.notice(
                "nothing is left in a job's directory; removed", metadata: ["job": "\(id)", "name": "\(ledger.name)"])
            try publication.retire(id)
            return .done
        case .publishing: return try publish(id, ledger)
        case .rejecting:
            let place = try publication.completeRejection(id, name: ledger.name)
            return rejected(id, ledger, place, report: RejectionReport.read(from: place, files))
        case .working:
            if let sentence = Cancellation.sentence(on: id, in: folder, files) {
                return try reject(id, ledger, code: Cancellation.code, message: sentence)
            }
            if let sentence = try JobOwnership.trespass(in: folder.job(id), files) {
                return try reject(id, ledger, code: JobOwnership.code, message: sentence)
            }
            return nil
        }
    }

    private func judge(
        _ verdict: WorkerVerdict, _ id: JobID, _ ledger: inout JobLedger, _ attempt: JobLedger.Attempt
    ) throws -> Turn {
        let metadata: Logger.Metadata = ["job": "\(id)", "name": "\(ledger.name)"]
        switch verdict {
        case .finished:
            return try fail("the worker reported success but left no result", id, &ledger, attempt)
        case .refused(let code, let message):
            return try reject(id, ledger, code: code, message: message)
        case .stopped:
            logger.info("worker stopped, checkpoint written", metadata: metadata)
            return .again(after: min(.seconds(1), settings.retryDelay))
        case .postponed(let reason):
            logger.warning(
                "work postponed, will try again", metadata: metadata.merging(["reason": "\(reason)"]) { $1 })
            return .again(after: settings.retryDelay, pause: reason)
        case .failed(let reason):
            if Task.isCancelled {
                // It did not stop in time and was killed: the checkpoint before is there, and it is nobody's failure.
                logger.warning("worker stopped", metadata: metadata.merging(["reason": "\(reason)"]) { $1 })
                return .again(after: .zero)
            }
            if isDiskFull {
                logger.warning("disk full, will try again", metadata: metadata.merging(["reason": "\(reason)"]) { $1 })
                return .again(after: settings.retryDelay, pause: "the worker failed while the disk was full: \(reason)")
            }
            return try fail(reason, id, &ledger, attempt)
        }
    }

    /// Counts a failure: the job is tried again, later each time, or rejected after the last attempt. A job that has
    /// got on since its last failure starts a new count.
    private func fail(
        _ reason: String, _ id: JobID, _ ledger: inout JobLedger, _ attempt: JobLedger.Attempt
    ) throws -> Turn {
        var attempt = attempt
        attempt.message = reason
        ledger.attempts = ledger.attempts.suffix(JobLedger.attemptsKept - 1) + [attempt]
        let step = newestCheckpoint(of: id)
        if let step, step > ledger.failedAtStep ?? -1 { ledger.failures = 0 }
        ledger.failedAtStep = step
        ledger.failures += 1
        guard ledger.failures < settings.attempts else {
            let message = "the worker failed \(ledger.failures) times without getting on; the last time: \(reason)"
            return try reject(id, ledger, code: "worker_failed", message: message)
        }
        let delay = settings.retryDelay * (1 << min(ledger.failures - 1, 8))
        logger.warning(
            "worker failed, will try again",
            metadata: [
                "job": "\(id)", "name": "\(ledger.name)", "reason": "\(reason)", "failures": "\(ledger.failures)",
                "delay": "\(delay)",
            ])
        return .again(after: delay)
    }

    private func publish(_ id: JobID, _ ledger: JobLedger) throws -> Turn {
        let place = try publication.publish(id, name: ledger.name)
        logger.notice("done", metadata: ["job": "\(id)", "name": "\(ledger.name)", "place": "\(place)"])
        return .done
    }

    private func reject(_ id: JobID, _ ledger: JobLedger, code: String, message: String) throws -> Turn {
        let report = RejectionReport(
            job: id.description, name: ledger.name, priority: ledger.priority, code: code, message: message,
            attempts: ledger.attempts)
        return rejected(id, ledger, try publication.reject(id, report: report), report: report)
    }

    /// Logs a rejection: a warning, unless somebody asked for it.
    private func rejected(_ id: JobID, _ ledger: JobLedger, _ place: FilePath, report: RejectionReport?) -> Turn {
        logger.log(
            level: report?.code == Cancellation.code ? .notice : .warning, "rejected",
            metadata: [
                "job": "\(id)", "name": "\(ledger.name)", "place": "\(place)",
                "reason": "\(report?.message ?? "unknown")",
            ])
        return .done
    }

    /// Writes down where a job stands, for whoever lists the folders. Nothing depends on it, so a full disk does not
    /// matter here.
    /// - Parameter isKnown: whether the reason has been told before.
    private func note(
        _ id: JobID, _ ledger: inout JobLedger, state: String, reason: String?, isKnown: Bool = false
    ) {
        ledger.state = state
        ledger.reason = reason
        do {
            try ledger.write(to: folder.job(id), files)
        } catch {
            if isKnown { return }
            logger.warning("a job's state cannot be written", metadata: ["job": "\(id)", "reason": "\(error)"])
        }
    }
}

extension Scheduler {
    /// What the worker wrote down about its failure.
    private func failure(in job: FilePath) -> FailureReport? {
        guard let bytes = try? files.read(job.appending(JobFiles.error), limit: 65_536) else { return nil }
        return try? JSONDecoder().decode(FailureReport.self, from: Data(bytes))
    }

    /// The last line that the worker said in this run.
    private func lastLine(of job: FilePath, from start: Int64) -> String? {
        let path = job.appending(JobFiles.log)
        guard let size = try? files.status(path)?.size else { return nil }
        // A log that has grown too long was cut meanwhile: its end is of this run.
        let start = size < start ? 0 : start
        guard size > start, let bytes = try? files.read(path, from: max(start, size - 4096), limit: 4096) else {
            return nil
        }
        let line = bytes.split(separator: UInt8(ascii: "\n")).last { !$0.allSatisfy { $0 <= 32 } }
        return line.map { PrintableText.line(String(decoding: $0, as: UTF8.self)) }
    }

    /// The step of a job's newest checkpoint.
    private func newestCheckpoint(of id: JobID) -> Int? {
        let names = (try? files.entries(folder.job(id))) ?? []
        return names.compactMap { name -> Int? in
            let text = name.string
            guard text.hasPrefix("checkpoint-"), text.hasSuffix(".h5") else { return nil }
            return Int(text.dropFirst("checkpoint-".count).dropLast(".h5".count))
        }.max()
    }

    private var isDiskFull: Bool {
        DiskGuard.freeSpace(at: folder.jobs).map { $0 < settings.freeSpaceFloor } ?? false
    }
}
