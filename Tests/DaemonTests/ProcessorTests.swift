import Daemon
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `The processors` {
    private let ids = ["20260101-000000-001", "20260101-000000-002", "20260101-000000-003"].compactMap { JobID($0) }

    private func queue() async -> JobQueue {
        let queue = JobQueue()
        for id in ids { await queue.submit(.init(id: id, ledger: JobLedger(name: "\(id)", claimed: .now))) }
        return queue
    }

    @Test func `are shared out by what each job needs, none overtaking another`() async {
        let queue = await queue()
        let needs = [ids[0]: 2, ids[1]: 3, ids[2]: 1]
        func next() async -> JobID? { await queue.takeNext(workers: 8, processors: 4) { needs[$0] ?? 1 }?.id }
        #expect(await next() == ids[0])
        // Three more do not fit beside two, and the third must not go ahead.
        #expect(await next() == nil)
        await queue.remove(ids[0])
        #expect(await next() == ids[1])
        #expect(await next() == ids[2])
        #expect(await next() == nil)
    }

    @Test func `do not suffice for a job that needs more than there are, which is given out alone`() async {
        let queue = await queue()
        func next() async -> JobID? { await queue.takeNext(workers: 8, processors: 4) { _ in 9 }?.id }
        #expect(await next() == ids[0])
        #expect(await next() == nil)
    }

    @Test func `are for nobody while something is in the way`() async {
        let queue = await queue()
        await queue.setObstacle("the disk is full")
        #expect(await queue.takeNext(workers: 8, processors: 4) { _ in 1 } == nil)
        #expect(await queue.summary == "paused: the disk is full; 3 waiting")
        await queue.setObstacle(nil)
        #expect(await queue.takeNext(workers: 8, processors: 4) { _ in 1 }?.id == ids[0])
    }

    @Test func `that are not there are refused at start, and to a single image`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let file = root.appending("dkpd.yaml")
            try drop("workers: 200\nthreads: 1000\n", file)
            let end = try Programs.run("dkpd", ["--config", file.string, "--state-dir", path + "/state"])
            #expect(end.status == 78 && end.errors.contains("200000"), "\(end)")

            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await daemon.waitUntilReady()
            let inbox = daemon.state.appending("inbox")
            try drop("threads: 1024", inbox.appending("cat.png.yaml"))
            try drop("ok", inbox.appending("cat.png"))
            try drop("threads: 1", inbox.appending("dog.png.yaml"))
            try drop("ok", inbox.appending("dog.png"))
            try await wait(for: "two ends: \(daemon.log)") {
                daemon.list("outbox") == ["dog"] && daemon.list("rejected") == ["cat"]
            }
            let error = try text(daemon.state.appending("rejected/cat/error.json"))
            #expect(error.contains("bad_settings") && error.contains("threads is 1024"), "\(error)")
            #expect(try text(daemon.state.appending("outbox/dog/job.log")).contains("with 1 threads"))
            #expect(try await daemon.stop().status == 0)
        }
    }
}
