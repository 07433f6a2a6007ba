import Synchronization

/// Wakes a service: rings at once or after a while; rings that come while the service is busy are heard as one.
package final class Bell: Sendable {
    /// One element for each ring, or for several together. For one listener, once.
    package let rings: AsyncStream<Void>

    private let continuation: AsyncStream<Void>.Continuation
    private let alarm = Mutex<Task<Void, Never>?>(nil)

    /// Creates a silent bell.
    package init() { (rings, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    deinit { alarm.withLock { $0?.cancel() } }

    /// Rings now.
    package func ring() { continuation.yield() }

    /// Rings after a while, in place of any earlier such order.
    package func ring(after delay: Duration) {
        let task = Task { [continuation] in
            do { try await Task.sleep(for: delay) } catch { return }
            continuation.yield()
        }
        alarm.withLock { alarm in
            alarm?.cancel()
            alarm = task
        }
    }
}
