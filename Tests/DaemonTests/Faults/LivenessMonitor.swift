import Foundation
import Glibc
import Synchronization

/// Listens to a daemon's signs of life, as a service manager does, and remembers the longest silence.
final class LivenessMonitor: Sendable {
    private struct State {
        var longestSilence = Duration.zero
        var last: ContinuousClock.Instant?
        var isOver = false
    }

    private let state = Mutex(State())
    /// What is put before the daemon's command, for `env`: it gives a sign every 100 ms.
    let environment: [String]

    /// Listens on a socket at `path` until ``end()``.
    init(_ path: String) throws {
        environment = ["NOTIFY_SOCKET=\(path)", "WATCHDOG_USEC=400000"]
        let socket = try NotifySocket(path)
        let listener = Listener(socket: socket)
        Thread { [self] in
            while listen(to: listener.socket) { usleep(10_000) }
        }.start()
    }

    /// The socket is the thread's alone once that runs.
    private struct Listener: @unchecked Sendable {
        let socket: NotifySocket
    }

    /// Takes what has come; false when it is over.
    private func listen(to socket: NotifySocket) -> Bool {
        let hasSign = socket.takeAll().contains("WATCHDOG=1")
        let now = ContinuousClock.now
        return state.withLock { state in
            if let last = state.last { state.longestSilence = max(state.longestSilence, now - last) }
            if hasSign { state.last = now }
            return !state.isOver
        }
    }

    /// Forgets the last sign: the daemon is about to be stopped, or to begin.
    func pause() { state.withLock { $0.last = nil } }

    /// Stops listening.
    /// - Returns: the longest time without a sign, in milliseconds.
    func end() -> Int {
        state.withLock { state in
            state.isOver = true
            let (seconds, attoseconds) = state.longestSilence.components
            return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
        }
    }
}
