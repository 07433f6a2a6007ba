import Files
import Foundation
import Logging
import ServiceLifecycle
import SystemPackage

/// Claims what is dropped into the inbox, for as long as the daemon runs.
struct InboxService: Service {
    let folder: StateFolder
    let files: any FileSystem
    let claim: Claim
    let queue: JobQueue
    let live: LiveSettings
    let heartbeat: Heartbeat
    let logger: Logger
    /// Called once the inbox is watched.
    let onReady: @Sendable () -> Void

    private static let clock = ContinuousClock()
    /// How many files are claimed between two looks at the news.
    private static let batch = 64
    /// A claim waits for the disk most of the time: so many wait for it together.
    private static let claimsAtOnce = 8

    private var settings: DaemonSettings { live.current }

    func run() async throws {
        let wakeup = Wakeup()
        var state = State(
            scanner: InboxScanner(folder.inbox, files: files, settleTime: settings.settleTime, logger: logger),
            identifiers: JobIDGenerator(after: await queue.identifiers))
        try watch(&state, wakeup)
        onReady()
        heartbeat.wakes(by: wakeup)
        for await _ in wakeup.wakeups.cancelOnGracefulShutdown() {
            heartbeat.beat()
            do {
                try await look(&state, wakeup)
            } catch {
                logger.error("the inbox cannot be read now", metadata: ["reason": "\(error)"])
                state.nextScan = Self.clock.now + settings.rescanInterval
            }
            wakeup.wake(after: max(.milliseconds(10), state.nextScan - Self.clock.now))
        }
    }

    /// What the service remembers between two looks.
    private struct State {
        var scanner: InboxScanner
        var identifiers: JobIDGenerator
        var watcher: InboxWatcher?
        var watched: FileStatus?
        var nextScan = ContinuousClock.now
        /// Complete files that are still to be claimed, in the order of their arrival.
        var backlog: [InboxItem] = []
        var hasUnfinishedClaims = false
        /// Why claims cannot be completed, as it was last said.
        var toldOfClaims: Set<String> = []
        var isWithoutEvents = false
        var isWithoutFolderEvents = false
    }

    private func look(_ state: inout State, _ wakeup: Wakeup) async throws {
        let news = state.watcher?.takeNews() ?? .init(isIncomplete: true)
        let now = Self.clock.now
        let finding: InboxScanner.Finding
        state.scanner.settleTime = settings.settleTime
        if news.isIncomplete || now >= state.nextScan {
            try watch(&state, wakeup)
            await finishClaims(&state)
            finding = try state.scanner.scan(closed: news.items, writing: news.writing, now: now)
            state.nextScan = now + (finding.isWaiting ? settings.settleTime : settings.rescanInterval)
            watchFolders(&state, wakeup)
        } else {
            finding = try state.scanner.look(at: news.items, closed: news.items, writing: news.writing, now: now)
            if finding.isWaiting { state.nextScan = min(state.nextScan, now + settings.settleTime) }
        }
        let known = Set(state.backlog)
        let new = finding.ready.filter { !known.contains($0) }
        state.backlog += new
        if new.count > Self.batch { logger.notice("many images found", metadata: ["count": "\(new.count)"]) }
        await claimSome(&state)
        if !state.backlog.isEmpty { wakeup.wake() }
    }

    /// Claims the first files of the backlog. News is heard before the next ones are.
    private func claimSome(_ state: inout State) async {
        let items = Array(state.backlog.prefix(Self.batch))
        state.backlog.removeFirst(items.count)
        if Task.isShuttingDownGracefully || Task.isCancelled || items.isEmpty { return }
        // Whatever was complete when it was found may be written to again by now.
        let writing = state.watcher?.filesBeingWritten() ?? []
        guard
            let ready = try? state.scanner.look(
                at: items, closed: Set(items), writing: writing, now: Self.clock.now
            ).ready
        else { return }
        await queue.note(arriving: state.backlog.count)
        let start = Date()
        let claims = ready.map { item in
            (item: item, id: state.identifiers.next(now: Int64(Date().timeIntervalSince1970 * 1000)))
        }
        var jobs: [Recovery.Found] = []
        for (claim, result) in await take(claims) {
            do {
                guard let job = try result.get() else { continue }
                state.scanner.note(taken: claim.item, at: start)
                logger.info("claimed", metadata: ["name": "\(job.ledger.name)", "job": "\(job.id)"])
                jobs.append(job)
            } catch {
                // The claim's number is another each time; the reason is told once.
                let reason = "\(error)".replacing(claim.id.description, with: "ID")
                state.scanner.ignore(claim.item, "it cannot be claimed now: \(reason)")
                state.hasUnfinishedClaims = true
            }
        }
        await queue.submit(jobs)
    }

    private typealias Claiming = (item: InboxItem, id: JobID)

    /// Claims files, several at once.
    /// - Returns: what came of each, in their order.
    private func take(
        _ claims: [Claiming]
    ) async -> [(claim: Claiming, result: Result<Recovery.Found?, any Error>)] {
        await withTaskGroup(of: (Int, Result<Recovery.Found?, any Error>).self) { group in
            var results: [Int: Result<Recovery.Found?, any Error>] = [:]
            for (index, claim) in claims.enumerated() {
                if index >= Self.claimsAtOnce, let (done, result) = await group.next() { results[done] = result }
                group.addTask {
                    defer { heartbeat.beat() }
                    return (index, Result { try take(claim.item, claim.id) })
                }
            }
            for await (index, result) in group { results[index] = result }
            return claims.enumerated().compactMap { index, claim in results[index].map { (claim, $0) } }
        }
    }

    /// Claims one file; nil if it was gone.
    private func take(_ item: InboxItem, _ id: JobID) throws -> Recovery.Found? {
        try claim.claim(item, as: id) ? job(id) : nil
    }

    /// A job that is there now.
    private func job(_ id: JobID) -> Recovery.Found { Recovery.Found(id, in: folder, files) }

    /// Watches the sub-folders that there are now. A new one may have been filled before it was watched: it is listed
    /// once more.
    private func watchFolders(_ state: inout State, _ wakeup: Wakeup) {
        guard let (hasNew, failure) = state.watcher?.watch(folders: state.scanner.folders) else { return }
        if hasNew {
            state.nextScan = Self.clock.now
            wakeup.wake()
        }
        if let failure, !state.isWithoutFolderEvents {
            logger.warning(
                "some folders of the inbox are not watched; they are listed every rescan_interval",
                metadata: ["reason": "\(InboxWatcher.reason(failure))"])
        }
        state.isWithoutFolderEvents = failure != nil
    }

    /// Watches the inbox, and makes it anew if someone has removed it.
    private func watch(_ state: inout State, _ wakeup: Wakeup) throws {
        let status = try files.status(folder.inbox)
        if state.watcher != nil, let status, status.inode == state.watched?.inode,
            status.device == state.watched?.device
        {
            return
        }
        if state.watcher != nil {
            logger.warning("the inbox was removed or replaced; watching it anew", metadata: ["path": "\(folder.inbox)"])
        }
        if status == nil { try files.makeDirectory(folder.inbox) }
        state.watcher = nil
        do throws(DaemonError) {
            state.watcher = try InboxWatcher(folder.inbox, wakeup: wakeup)
            state.isWithoutEvents = false
        } catch {
            // It can be lived with: the listings find everything, only later.
            guard error.code == .inotifyLimit else { throw error }
            if !state.isWithoutEvents {
                logger.warning(
                    "the inbox is not watched; it is listed every rescan_interval", metadata: ["reason": "\(error)"])
            }
            state.isWithoutEvents = true
        }
        state.watched = try files.status(folder.inbox)
    }

    /// Completes claims that a full disk or the like had stopped.
    private func finishClaims(_ state: inout State) async {
        guard state.hasUnfinishedClaims else { return }
        // One that cannot be completed does not keep the others, and is named once for as long as its reason stays.
        var reasons: Set<String> = []
        func attempt<Value>(_ body: () throws -> Value) -> Value? {
            do {
                return try body()
            } catch {
                reasons.insert("\(error)")
                return nil
            }
        }
        for id in attempt({ try claim.unfinished() }) ?? [] where attempt({ try claim.finish(id) }) != nil {
            await submit(id)
        }
        for reason in reasons.subtracting(state.toldOfClaims).sorted() {
            logger.error("a claim cannot be completed now", metadata: ["reason": "\(reason)"])
        }
        state.toldOfClaims = reasons
        state.hasUnfinishedClaims = !reasons.isEmpty
    }

    private func submit(_ id: JobID) async {
        guard (try? files.status(folder.job(id))) != nil else { return }
        let job = job(id)
        logger.info("claimed", metadata: ["name": "\(job.ledger.name)", "job": "\(id)"])
        await queue.submit(job)
    }
}
