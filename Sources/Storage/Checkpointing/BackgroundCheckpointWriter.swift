import Foundation
import Synchronization

/// Writes checkpoints on a thread of its own while the computation goes on.
///
/// At most one write is under way: a second waits for the first. A failed write is reported by the next call, once.
public final class BackgroundCheckpointWriter: Sendable {
    private struct State {
        var isWriting = false
        var failure: CheckpointError?
    }

    private let save: @Sendable (Snapshot, Int) throws(CheckpointError) -> Void
    private let state = Mutex(State())
    /// Serial, so writes never overlap; its thread is none of Swift's cooperative pool.
    private let queue = DispatchQueue(label: "checkpoint-writer")

    /// A writer into a store.
    public convenience init(store: CheckpointStore) {
        self.init { snapshot, step throws(CheckpointError) in try store.save(snapshot, step: step) }
    }

    /// A writer through any function.
    package init(save: @escaping @Sendable (Snapshot, Int) throws(CheckpointError) -> Void) { self.save = save }

    /// Whether a write is under way, so that ``write(_:step:)`` would wait.
    public var isWriting: Bool { state.withLock { $0.isWriting } }

    /// Begins to write a snapshot and returns, after waiting for the write before it, if that is still under way.
    ///
    /// - Throws: the failure of the write before; this snapshot is then not written, and the next call begins afresh.
    public func write(_ snapshot: Snapshot, step: Int) throws(CheckpointError) {
        try finish()
        state.withLock { $0.isWriting = true }
        queue.async { [self] in
            var failure: CheckpointError?
            do throws(CheckpointError) { try save(snapshot, step) } catch { failure = error }
            state.withLock {
                $0.isWriting = false
                $0.failure = failure
            }
        }
    }

    /// Waits until nothing is being written.
    ///
    /// - Throws: the failure of the last write, unless a call has reported it already.
    public func finish() throws(CheckpointError) {
        queue.sync {}
        let failure = state.withLock { state in
            defer { state.failure = nil }
            return state.failure
        }
        if let failure { throw failure }
    }
}
