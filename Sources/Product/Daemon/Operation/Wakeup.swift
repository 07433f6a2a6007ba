import Synchronization

/// Wakes a service, at once or after a while; what comes while the service is busy wakes it once.
package final class Wakeup: Sendable {
    /// One element for each call, or for several together. For one listener, once.
    package let wakeups: AsyncStream<Void>

    private let continuation: AsyncStream<Void>.Continuation
    private let timer = Mutex<Task<Void, Never>?>(nil)

    /// Creates one that nobody has called yet.
    package init() { (wakeups, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    deinit { timer.withLock { $0?.cancel() } }

    /// Wakes it now.
    package func wake() { continuation.yield() }

    /// Wakes it after a while, in place of any earlier such order.
    package func wake(after delay: Duration) {
        let task = Task { [continuation] in
            do { try await Task.sleep(for: delay) } catch { return }
            continuation.yield()
        }
        timer.withLock { timer in
            timer?.cancel()
            timer = task
        }
    }
}
