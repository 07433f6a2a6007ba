import Foundation
import Logging
import ServiceLifecycle
import SystemPackage

/// Claims what is dropped into the inbox, for as long as the daemon runs.
struct InboxService: Service {
    let folder: StateFolder
    let files: any StateFileSystem
    let claim: Claim
    let maker: any JobMaker
    let queue: JobQueue
    let settings: DaemonSettings
    let pulse: Pulse
    let logger: Logger
    /// Called once the inbox is watched.
    let onReady: @Sendable () -> Void

    private static let clock = ContinuousClock()

    func run() async throws {
        let bell = Bell()
        var state = State(
            scanner: InboxScanner(folder.inbox, files: files, settleTime: settings.settleTime, logger: logger),
            identifiers: JobIDGenerator(after: await queue.identifiers))
        try watch(&state, bell)
        onReady()
        pulse.wakes(by: bell)
        for await _ in bell.rings.cancelOnGracefulShutdown() {
            pulse.beat()
            do {
                try await look(&state, bell)
            } catch {
                logger.error("the inbox cannot be read now", metadata: ["reason": "\(error)"])
                state.nextScan = Self.clock.now + settings.rescanInterval
            }
            bell.ring(after: max(.milliseconds(10), state.nextScan - Self.clock.now))
        }
    }

    /// What the service remembers between two looks.
    private struct State {
        var scanner: InboxScanner
        var identifiers: JobIDGenerator
        var watcher: InboxWatcher?
        var watched: FileStatus?
        var nextScan = ContinuousClock.now
        var hasUnfinishedClaims = false
    }

    private func look(_ state: inout State, _ bell: Bell) async throws {
        let news = state.watcher?.takeNews() ?? .init(isIncomplete: true)
        let now = Self.clock.now
        let finding: InboxScanner.Finding
        if news.isIncomplete || now >= state.nextScan {
            try watch(&state, bell)
            await finishClaims(&state)
            finding = try state.scanner.scan(closed: news.names, now: now)
            state.nextScan = now + (finding.isWaiting ? settings.settleTime : settings.rescanInterval)
        } else {
            finding = try state.scanner.look(at: news.names, closed: news.names, now: now)
            if finding.isWaiting { state.nextScan = min(state.nextScan, now + settings.settleTime) }
        }
        for name in finding.ready {
            if Task.isShuttingDownGracefully || Task.isCancelled { return }
            await take(name, &state)
            pulse.beat()
        }
    }

    /// Watches the inbox, and makes it anew if someone has removed it.
    private func watch(_ state: inout State, _ bell: Bell) throws {
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
        state.watcher = try InboxWatcher(folder.inbox, bell: bell)
        state.watched = try files.status(folder.inbox)
    }

    private func take(_ name: FilePath.Component, _ state: inout State) async {
        let id = state.identifiers.next(now: Int64(Date().timeIntervalSince1970 * 1000))
        do {
            guard try claim.claim(name, as: id) else { return }
            logger.info("claimed", metadata: ["name": "\(name.string)", "job": "\(id)"])
            await queue.submit(.init(id: id, ledger: JobLedger(name: name.string, claimed: Date())))
        } catch {
            state.scanner.leaveAlone(name, "it cannot be claimed now: \(error)")
            state.hasUnfinishedClaims = true
        }
    }

    /// Completes claims that a full disk or the like had stopped.
    private func finishClaims(_ state: inout State) async {
        guard state.hasUnfinishedClaims else { return }
        do {
            try maker.recover()
            state.hasUnfinishedClaims = false
            for id in try claim.unfinished() {
                do {
                    try claim.finish(id)
                    await submit(id)
                } catch {
                    // The others are not to wait for this one.
                    logger.error("a claim cannot be completed now", metadata: ["reason": "\(error)"])
                    state.hasUnfinishedClaims = true
                }
            }
        } catch {
            logger.error("claims cannot be completed now", metadata: ["reason": "\(error)"])
            state.hasUnfinishedClaims = true
        }
    }

    private func submit(_ id: JobID) async {
        let job = folder.job(id)
        guard (try? files.status(job)) != nil else { return }
        let ledger = (try? JobLedger.read(from: job, files)) ?? Recovery.ledger(of: job)
        logger.info("claimed", metadata: ["name": "\(ledger.name)", "job": "\(id)"])
        await queue.submit(.init(id: id, ledger: ledger))
    }
}
