import CSystemd
import Failures
import Glibc
package import Logging
import Synchronization

/// Tells the service manager (systemd) how the daemon is; silent where there is none.
///
/// Nothing depends on being heard: a message that cannot be sent is noted in the log once, and the daemon works on.
package final class ServiceManager: Sendable {
    private struct Memory {
        var status: String?
        var hasComplained = false
    }

    private let logger: Logger
    private let memory = Mutex(Memory())

    /// - Parameter logger: where failures to reach the service manager are noted.
    package init(logger: Logger) { self.logger = logger }

    /// How long the service manager's watchdog waits for a sign of life; nil if it watches nothing.
    package var watchdogPeriod: Duration? {
        var microseconds: UInt64 = 0
        let answer = sd_watchdog_enabled(0, &microseconds)
        note(answer, "sd_watchdog_enabled")
        return answer > 0 && microseconds <= UInt64(Int64.max) ? .microseconds(Int64(microseconds)) : nil
    }

    /// The inbox is watched: the service is up. Or: the settings have been read again.
    package func ready() { send("READY=1") }

    /// Every loop of the daemon turns.
    package func alive() { send("WATCHDOG=1") }

    /// One line for `systemctl status`; sent only when it has changed.
    package func status(_ line: String) {
        let isNews = memory.withLock { memory in
            defer { memory.status = line }
            return memory.status != line
        }
        if isNews { send("STATUS=\(PrintableText.line(line))") }
    }

    /// Settings are being read again; ``ready()`` ends that.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000)")
    }

    /// The daemon is about to end.
    /// - Parameter limit: the longest time that its workers may take to write their checkpoints. It is asked for even
    ///   where the unit allows less, and the watchdog, which no loop answers any more, waits as long.
    package func stopping(within limit: Duration) {
        let microseconds = limit.components.seconds * 1_000_000
        var message = "STOPPING=1\nSTATUS=stopping: workers write their checkpoints"
        message += "\nEXTEND_TIMEOUT_USEC=\(microseconds)"
        if let period = watchdogPeriod, period < limit { message += "\nWATCHDOG=1\nWATCHDOG_USEC=\(microseconds)" }
        send(message)
    }

    private func send(_ message: String) { note(sd_notify(0, message), "sd_notify") }

    private func note(_ answer: CInt, _ call: String) {
        guard answer < 0 else { return }
        let isFirst = memory.withLock { memory in
            defer { memory.hasComplained = true }
            return !memory.hasComplained
        }
        guard isFirst else { return }
        logger.debug(
            "the service manager cannot be told how the daemon is",
            metadata: ["call": "\(call)", "reason": "\(String(cString: strerror(-answer)))"])
    }
}
