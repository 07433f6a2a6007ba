import Checkpointing
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct `Background checkpoint writer` {
    @Test func `snapshots are on disk after finish`() throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory)
            let writer = BackgroundCheckpointWriter(store: store)
            for step in 1...3 { try writer.write(exampleSnapshot(), step: step) }
            try writer.finish()
            #expect(!writer.isWriting)
            #expect(try store.generations().map(\.step) == [3, 2])
            #expect(try store.latest()?.snapshot == exampleSnapshot())
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `the caller goes on while a write is under way, and a second write waits for the first`() throws {
        let gate = DispatchSemaphore(value: 0)
        let running = Mutex((now: 0, most: 0, order: [Int]()))
        let writer = BackgroundCheckpointWriter { _, step in
            running.withLock { running in
                running.now += 1
                running.most = max(running.most, running.now)
                running.order.append(step)
            }
            gate.wait()
            running.withLock { $0.now -= 1 }
        }
        try writer.write(Snapshot(), step: 1)
        #expect(writer.isWriting)
        for _ in 0..<4 { gate.signal() }
        for step in 2...4 { try writer.write(Snapshot(), step: step) }
        try writer.finish()
        #expect(running.withLock { $0.most } == 1)
        #expect(running.withLock { $0.order } == [1, 2, 3, 4])
    }

    @Test func `a failure surfaces on the next call, once`() throws {
        let failure = CheckpointError(.noSpace, "the disk is full")
        let fails = Mutex(true)
        let written = Mutex([Int]())
        let writer = BackgroundCheckpointWriter { _, step throws(CheckpointError) in
            if fails.withLock({ $0 }) { throw failure }
            written.withLock { $0.append(step) }
        }
        try writer.write(Snapshot(), step: 1)
        #expect(throws: failure) { try writer.write(Snapshot(), step: 2) }
        fails.withLock { $0 = false }
        try writer.write(Snapshot(), step: 3)
        try writer.finish()
        #expect(written.withLock { $0 } == [3])

        fails.withLock { $0 = true }
        try writer.write(Snapshot(), step: 4)
        #expect(throws: failure) { try writer.finish() }
        try writer.finish()
    }
}
