import ServiceLifecycle

/// Gives the service manager a sign of life for as long as every loop of the daemon turns.
///
/// A timer that pings by itself would prove nothing. Here each loop is woken and must have made a turn since the sign
/// before; if one is stuck, or the whole process is, the signs cease, and the service manager ends the daemon and starts
/// it anew.
package struct Watchdog: Service {
    private let manager: ServiceManager
    private let heartbeats: [Heartbeat]

    /// - Parameter heartbeats: those of the loops that must turn.
    package init(_ manager: ServiceManager, heartbeats: [Heartbeat]) {
        self.manager = manager
        self.heartbeats = heartbeats
    }

    package func run() async throws {
        guard let period = manager.watchdogPeriod else { return try await gracefulShutdown() }
        await cancelWhenGracefulShutdown {
            // Four looks a period: a turn may last for half of it and the sign is still in time.
            while !Task.isCancelled {
                if look() { manager.alive() }
                do { try await Task.sleep(for: period / 4) } catch { return }
            }
        }
    }

    /// Whether every loop has turned since the last look that found so; if it has, each is asked for its next turn.
    package func look() -> Bool {
        guard heartbeats.allSatisfy(\.hasBeaten) else { return false }
        for heartbeat in heartbeats { heartbeat.ask() }
        return true
    }
}
