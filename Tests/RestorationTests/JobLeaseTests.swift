import Checkpointing
import Failures
import Foundation
import Jobs
import Restoration
import Synchronization
import TestSupport
import Testing

@Suite struct `A lease on a job` {
    @Test func `has a number that grows, and ends the one before`() throws {
        try withTemporaryDirectory { job in
            #expect(try JobLease.newest(in: job) == 0)
            let first = try JobLease.take(job)
            #expect(first.number == 1 && first.isCurrent)
            let second = try JobLease.take(job)
            #expect(second.number == 2 && second.isCurrent && !first.isCurrent)
            #expect(try JobLease.newest(in: job) == 2)
            #expect(try FileManager.default.contentsOfDirectory(atPath: job) == ["lease-2"])
        }
    }

    @Test func `taken by many at once is one's alone, and no number is given twice`() async throws {
        try await withTemporaryDirectory { job in
            let taken = await withTaskGroup(of: [Int].self) { group in
                for _ in 0..<8 {
                    // Who is overtaken too often gives up, which is allowed.
                    group.addTask { (0..<25).compactMap { _ in try? JobLease.take(job).number } }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            #expect(taken.count > 8 && Set(taken).count == taken.count)
            let left = try FileManager.default.contentsOfDirectory(atPath: job)
            #expect(left == ["lease-\(try #require(taken.max()))"])
        }
    }

    @Test(arguments: [
        "lease-x", "lease-", "lease-99999999999999999999", "lease--3", "lease-5", "lease-999999999999999",
        "lease-9223372036854775807", "lease-1000000000", "lease-007", "lease-+7", "lease-0",
    ])
    func `is found among anything that has such a name`(_ name: String) throws {
        try withTemporaryDirectory { job in
            // A file where a directory should be, too.
            try Data().write(to: URL(fileURLWithPath: "\(job)/\(name)"))
            try FileManager.default.createDirectory(atPath: "\(job)/.lease-1/x", withIntermediateDirectories: true)
            let lease = try JobLease.take(job)
            #expect(lease.isCurrent && lease.number == (name == "lease-5" ? 6 : 1))
            #expect(!FileManager.default.fileExists(atPath: "\(job)/.lease-1"))
            #expect(try JobLease.take(job).number == lease.number + 1)
            #expect(!lease.isCurrent)
        }
    }

    @Test(arguments: [999_999_999_999_999, 1_000_000_000, Int.max, 0, -1])
    func `of a number that was never given out entitles to nothing`(_ number: Int) throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            try FileManager.default.createDirectory(
                atPath: "\(job.path)/lease-\(number)", withIntermediateDirectories: true)
            #expect(!JobLease(job: job.path, number: number).isCurrent)
            let failure = try #require(throws: FailureReport.self) { try toyWorker(job, lease: number).run() }
            #expect(failure.exitStatus == .superseded)
            #expect(try JobLease.newest(in: job.path) == 0)
            let lease = try JobLease.take(job.path)
            #expect(lease.number == 1 && lease.isCurrent)
            #expect(try JobLease.newest(in: job.path) == 1)
        }
    }

    @Test func `is given to nobody when the numbers are used up`() throws {
        try withTemporaryDirectory { job in
            try FileManager.default.createDirectory(
                atPath: "\(job)/lease-999999998", withIntermediateDirectories: true)
            #expect(try JobLease.take(job).number == 999_999_999)
            let error = try #require(throws: RestorationError.self) { try JobLease.take(job) }
            #expect(error.code == .busy && error.message.contains("lease-999999999"))
        }
    }

    @Test func `that is over lets no checkpoint be written, and none removed`() throws {
        try withTemporaryDirectory { job in
            func store(_ lease: JobLease) -> CheckpointStore {
                CheckpointStore(directory: job, staging: "\(job)/lease-\(lease.number)")
            }
            var snapshot = Snapshot()
            snapshot.setAttribute("step", 1)
            let old = store(try JobLease.take(job))
            try old.save(snapshot, step: 1)
            let new = store(try JobLease.take(job))
            try new.save(snapshot, step: 5)
            try new.save(snapshot, step: 9)
            #expect(throws: CheckpointError.self) { try old.save(snapshot, step: 7) }
            #expect(throws: Never.self) { try old.removeAll() }
            #expect(try new.generations().map(\.step) == [9, 5])
        }
    }
}

@Suite struct `A worker that has lost its job` {
    /// Every file below a directory with its bytes.
    private func content(_ directory: String) throws -> [String: [UInt8]] {
        var content: [String: [UInt8]] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: directory) {
            var isDirectory: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(directory)/\(path)", isDirectory: &isDirectory)
            content[path] = isDirectory.boolValue ? [] : try bytes("\(directory)/\(path)")
        }
        return content
    }

    @Test(arguments: [0, 1, 7, 19, 29])
    func `stops with exit code 77 and writes nothing more`(_ lostAt: Int) throws {
        try withTemporaryDirectory { directory in
            var settings = toySettings(steps: 30)
            settings.checkpointInterval = 0.1
            let job = try makeJob(in: directory, settings: settings)
            let lease = try JobLease.take(job.path)
            var after: [String: [UInt8]]?
            let failure = try #require(throws: FailureReport.self) {
                try toyWorker(job, lease: lease.number) { step in
                    // Long enough that checkpoints come due, before and after.
                    usleep(20_000)
                    if step == lostAt {
                        #expect(try JobLease.take(job.path).number == 2)
                        after = try content(job.path)
                    }
                }.run()
            }
            #expect(failure.code == "superseded" && failure.exitStatus.rawValue == 77)
            #expect(failure.message.contains("newer worker"))
            #expect(try content(job.path) == after)
        }
    }

    @Test func `does not even begin`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            _ = try JobLease.take(job.path)
            _ = try JobLease.take(job.path)
            let before = try content(job.path)
            let failure = try #require(throws: FailureReport.self) { try toyWorker(job, lease: 1).run() }
            #expect(failure.code == "superseded")
            #expect(try content(job.path) == before)
        }
    }

    @Test func `leaves it to the newer one, whose result has the same bytes`() async throws {
        try await withTemporaryDirectory { directory in
            let whole = try makeJob(in: directory, name: "whole")
            #expect(try toyWorker(whole).run() == .finished)
            let job = try makeJob(in: directory)
            let old = try JobLease.take(job.path).number
            // The old one stands still in the middle of a step, with the lock in its hands.
            let (isInside, mayGoOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            let failure = Holder()
            let thread = Thread {
                do throws(FailureReport) {
                    _ = try toyWorker(job, lease: old) { step in
                        guard step == 7 else { return }
                        isInside.signal()
                        mayGoOn.wait()
                    }.run()
                } catch {
                    failure.set(error)
                }
                isInside.signal()
            }
            thread.start()
            await Task.detached { wait(isInside) }.value
            let new = try JobLease.take(job.path).number
            #expect(try toyWorker(job, lease: new).run() == .finished)
            mayGoOn.signal()
            await Task.detached { wait(isInside) }.value
            #expect(failure.value?.code == "superseded")
            for name in ["restored.png", "result.h5", "kernel.png", "figure.png"] {
                #expect(try bytes("\(job.resultPath)/\(name)") == bytes("\(whole.resultPath)/\(name)"), "\(name)")
            }
            #expect(!FileManager.default.fileExists(atPath: job.errorPath))
        }
    }
}

/// Waits outside of asynchronous code, where that is allowed.
private func wait(_ semaphore: DispatchSemaphore) { semaphore.wait() }

/// What a thread has met.
private final class Holder: Sendable {
    private let failure = Mutex<FailureReport?>(nil)

    var value: FailureReport? { failure.withLock { $0 } }

    func set(_ value: FailureReport) { failure.withLock { $0 = value } }
}
