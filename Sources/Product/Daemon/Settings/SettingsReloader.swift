import Logging
import ServiceLifecycle
import SystemPackage
import UnixSignals

/// Reads the settings again when the daemon gets a SIGHUP or their file changes. Jobs that have begun keep theirs.
struct SettingsReloader: Service {
    let sources: SettingsSources
    let live: LiveSettings
    let logger: Logger
    /// Called before and after a reading, for the service manager.
    let onBegin: @Sendable () -> Void
    let onEnd: @Sendable () -> Void

    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() { reload() }
            }
            group.addTask { await followFile() }
        }
    }

    /// Watches the folder of the file, as a file that is replaced has a new one in its place.
    private func followFile() async {
        guard let file = sources.file, let name = file.lastComponent else { return }
        let wakeup = Wakeup()
        let watcher: InboxWatcher
        do {
            watcher = try InboxWatcher(file.removingLastComponent(), wakeup: wakeup)
        } catch {
            logger.warning(
                "changes of the settings file will not be noticed; send SIGHUP after one",
                metadata: ["reason": "\(error)"])
            return
        }
        for await _ in wakeup.wakeups.cancelOnGracefulShutdown() {
            let news = watcher.takeNews()
            if news.isIncomplete || news.items.contains(InboxItem(name)) { reload() }
        }
    }

    private func reload() {
        onBegin()
        defer { onEnd() }
        do {
            let settings = try sources.read()
            try settings.checkProcessors()
            guard settings != live.current else { return logger.info("settings read again, nothing has changed") }
            let waiting = live.replace(with: settings)
            logger.notice("settings read again; they hold for images taken from now on")
            if !waiting.isEmpty {
                logger.warning(
                    "some settings change only when the daemon starts",
                    metadata: ["settings": "\(waiting.map(\.rawValue).joined(separator: ", "))"])
            }
        } catch {
            logger.error("the new settings cannot be used, the old ones stay", metadata: ["reason": "\(error)"])
        }
    }
}
