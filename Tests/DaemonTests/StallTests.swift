import Daemon
import Files
import Foundation
import Glibc
import Jobs
import SystemPackage
import TestSupport
import Testing

@Suite struct `The watch over a worker's progress` {
    private let start = ContinuousClock.now

    private func progress(_ step: Int, pid: Int32 = 1, rate: Double? = nil) throws -> JobProgress {
        let text = """
            {"step": \(step), "total": 100, "phase": "similarity", "pid": \(pid), "updated": "2026-01-01T00:00:00Z"
            \(rate.map { ", \"rate\": \($0)" } ?? "")}
            """
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(JobProgress.self, from: Data(text.utf8))
    }

    /// Looks once a second.
    private func look(
        _ watch: inout ProgressWatch, _ progress: JobProgress?, seconds: Range<Int>
    ) -> Duration {
        var silence = Duration.zero
        for second in seconds { silence = watch.look(progress, at: start + .seconds(second)) }
        return silence
    }

    @Test func `counts the seconds without a change, from the last one on`() throws {
        var watch = ProgressWatch()
        #expect(look(&watch, nil, seconds: 0..<11) == .seconds(10))
        #expect(look(&watch, try progress(1), seconds: 11..<12) == .zero)
        #expect(look(&watch, try progress(1), seconds: 12..<32) == .seconds(20))
        #expect(look(&watch, try progress(2), seconds: 32..<33) == .zero)
    }

    @Test func `does not count time in which it did not look`() throws {
        var watch = ProgressWatch()
        _ = watch.look(try progress(1), at: start)
        #expect(watch.look(try progress(1), at: start + .seconds(86_400)) <= .seconds(5))
        #expect(watch.look(try progress(1), at: start + .seconds(3600)) <= .seconds(5))
    }

    @Test func `allows for more before the first step, and for twenty steps' time after it`() throws {
        var watch = ProgressWatch()
        // What the worker before left says nothing of this one.
        _ = watch.look(try progress(50, pid: 1), at: start)
        _ = watch.look(try progress(0, pid: 2), at: start)
        #expect(watch.limit(stallTime: .seconds(600)) == .seconds(1800))
        _ = watch.look(try progress(1, pid: 2), at: start)
        #expect(watch.limit(stallTime: .seconds(600)) == .seconds(600))
        _ = watch.look(try progress(2, pid: 2, rate: 0.01), at: start)
        #expect(watch.limit(stallTime: .seconds(600)) == .seconds(2000))
        _ = watch.look(try progress(3, pid: 2, rate: 10), at: start)
        #expect(watch.limit(stallTime: .seconds(600)) == .seconds(600))
    }

    @Test(arguments: [1e-307, 1e-300, 1e300, 0, -1]) func `takes no rate for granted`(_ rate: Double) throws {
        var watch = ProgressWatch()
        _ = watch.look(try progress(1, rate: rate), at: start)
        let limit = watch.limit(stallTime: .seconds(600))
        #expect(limit >= .seconds(600) && limit <= .seconds(7 * 86_400))
    }
}

/// Real workers that are stopped, as one that hangs is.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct `A worker that does not get on` {
    @Test func `is shown, ended and tried again, and the result has the same bytes`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(
                root, worker: nil, settings: RealWork.settings + "\nstall_time: 5\nattempts: 100")
            try await daemon.waitUntilReady()
            try RealWork.paint(root, "cat", into: daemon.state)
            var worker: pid_t = 0
            try await wait(for: "a worker: \(daemon.log)") {
                worker = RealWork.workers(daemon).first ?? 0
                return worker > 0 && kill(worker, SIGSTOP) == 0
            }
            var shown: StateSurvey.Job?
            try await wait(for: "a word on it: \(daemon.log)") {
                shown = try StateSurvey(StateFolder(daemon.state)).jobs.first {
                    $0.reason?.hasPrefix("no progress for ") == true
                }
                return shown != nil
            }
            #expect(shown?.state == .running && shown?.rate == nil && shown?.eta == nil)
            let status = try text(daemon.state.appending("status.json"))
            #expect(status.contains("no progress for "), "\(status)")
            try await wait(for: "the result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
            #expect(daemon.log.contains("a worker does not get on; it is ended"))
            #expect(daemon.log.contains("worker failed, will try again") && daemon.log.contains("the worker was ended"))
            #expect(kill(worker, 0) != 0, "the worker lives")
            #expect(try await daemon.stop().status == 0)
            #expect(try RealWork.differences(daemon.state.appending("outbox").appending("cat"), "cat", root) == [])
        }
    }

    @Test func `is killed where it does not listen, and its job rejected in the end`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(
                root, worker: FakeWorker.make(in: root), settings: "stall_time: 1\nattempts: 1")
            try await daemon.waitUntilReady()
            try drop("stubborn", daemon.state.appending("inbox").appending("cat.png"))
            try await wait(for: "the rejection: \(daemon.log)") { daemon.list("rejected") == ["cat"] }
            let report = RejectionReport.read(
                from: daemon.state.appending("rejected").appending("cat"), LocalFileSystem())
            #expect(report?.code == "worker_failed" && report?.message.contains("no progress for ") == true)
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `is left alone where stall_time is null`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root), settings: "stall_time: null")
            try await daemon.waitUntilReady()
            try drop("endless", daemon.state.appending("inbox").appending("cat.png"))
            try await Task.sleep(for: .seconds(4))
            #expect(daemon.list("jobs").count == 1 && !daemon.log.contains("does not get on"))
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `that prints without end fills no disk while its daemon is stopped`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let worker = root.appending("flood")
            try drop(
                """
                #!/usr/bin/perl
                my $text = ("x" x 99 . "\\n") x 600;
                syswrite(STDOUT, $text) while -e $ARGV[1];
                """, worker)
            #expect(chmod(worker.string, 0o755) == 0)
            let daemon = try DaemonProcess(root, worker: worker)
            try await daemon.waitUntilReady()
            try drop("x", daemon.state.appending("inbox").appending("cat.png"))
            func size() throws -> Int {
                guard let job = daemon.list("jobs").first(where: { !$0.hasPrefix(".") }) else { return 0 }
                let log = daemon.state.appending("jobs").appending(job).appending("job.log")
                return Int(try LocalFileSystem().status(log)?.size ?? 0)
            }
            try await wait(for: "a flood: \(daemon.log)") { try size() > 1 << 20 }
            daemon.pause()
            try await Task.sleep(for: .milliseconds(200))
            let before = try size()
            try await Task.sleep(for: .seconds(2))
            #expect(try size() == before && before <= BoundedLog.most)
            daemon.goOn()
            try await wait(for: "more of it: \(daemon.log)") { try size() != before }
            #expect(try size() <= BoundedLog.most)
            #expect(try await daemon.stop().status == 0)
        }
    }
}
