import Synchronization

/// The sign of life of one loop: the watchdog asks for it, the loop's next turn gives it.
package final class Pulse: Sendable {
    private struct State {
        var hasBeaten = false
        var bell: Bell?
    }

    private let state = Mutex(State())

    /// Creates a pulse that has not beaten yet.
    package init() {}

    /// From now on the loop can be woken by that bell, which rings for a first turn.
    package func wakes(by bell: Bell) {
        state.withLock { $0.bell = bell }
        bell.ring()
    }

    /// The loop turns: called in each turn, and between the pieces of a long one.
    package func beat() { state.withLock { $0.hasBeaten = true } }

    /// Whether the loop has turned since it was asked.
    var hasBeaten: Bool { state.withLock { $0.hasBeaten } }

    /// Asks the loop for a turn.
    func ask() {
        let bell = state.withLock { state in
            state.hasBeaten = false
            return state.bell
        }
        bell?.ring()
    }
}
