import Files
import Logging
import ServiceLifecycle
import SystemPackage

/// Keeps the state folder this daemon's own for as long as it runs, and its inbox free of what killed commands left.
struct StateKeeper: Service {
    let folder: StateFolder
    let lock: StateLock
    let files: any FileSystem
    let logger: Logger

    /// How often the lock is looked at.
    private static let interval = Duration.seconds(2)
    /// In how many of these looks the inbox is tidied once.
    private static let looksPerTidying = 30

    /// Returns when the daemon stops.
    /// - Throws: ``DaemonError`` with code `stateFolderInUse` once another daemon has the folder.
    func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try? await gracefulShutdown() }
            group.addTask {
                var complaint: String?
                for look in 0... {
                    if look % Self.looksPerTidying == 0 { tidy() }
                    try keepLock(&complaint)
                    do { try await Task.sleep(for: Self.interval) } catch { return }
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func keepLock(_ complaint: inout String?) throws {
        do throws(DaemonError) {
            for path in try lock.renew() {
                logger.warning("the file had been removed; locked anew", metadata: ["path": "\(path)"])
            }
            complaint = nil
        } catch {
            if error.code == .stateFolderInUse { throw error }
            if complaint != error.message {
                logger.error("the lock cannot be looked at now", metadata: ["reason": "\(error)"])
            }
            complaint = error.message
        }
    }

    private func tidy() {
        for name in Leftovers(folder, files: files).remove() {
            logger.info("what a killed command had left in the inbox is removed", metadata: ["name": "\(name.string)"])
        }
    }
}
