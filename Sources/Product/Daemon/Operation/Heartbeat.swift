import Synchronization

/// The sign of life of one loop: the watchdog asks for it, the loop's next turn gives it.
package final class Heartbeat: Sendable {
    private struct State {
        var hasBeaten = false
        var wakeup: Wakeup?
    }

    private let state = Mutex(State())

    /// Creates one that has not beaten yet.
    package init() {}

    /// From now on the loop can be woken by that, which is done at once for a first turn.
    package func wakes(by wakeup: Wakeup) {
        state.withLock { $0.wakeup = wakeup }
        wakeup.wake()
    }

    /// The loop turns: called in each turn, and between the pieces of a long one.
    package func beat() { state.withLock { $0.hasBeaten = true } }

    /// Whether the loop has turned since it was asked.
    var hasBeaten: Bool { state.withLock { $0.hasBeaten } }

    /// Asks the loop for a turn.
    func ask() {
        let wakeup = state.withLock { state in
            state.hasBeaten = false
            return state.wakeup
        }
        wakeup?.wake()
    }
}
