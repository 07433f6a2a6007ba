import Daemon
import Failures
import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct `Result names` {
    @Test(arguments: [
        ("cat.png", "cat"), ("a.b.png", "a.b"), ("no extension", "no extension"), ("photo 🐈‍⬛.png", "photo 🐈‍⬛"),
        ("line\nbreak.png", "line_break"), ("\"quotes' `and` \\slash.png", "_quotes_ _and_ _slash"),
        ("-rf.png", "_rf"), ("\u{202E}gnp.png", "_gnp"), ("é.png", "é"), (" .png", "_"),
    ]) func `are readable and safe`(dropped: String, expected: String) throws {
        #expect(ResultName.make(from: try component(dropped)) == expected)
    }

    @Test(arguments: [
        ("cat.png", "cat"), ("holiday/cat.png", "holiday-cat"), ("../cat.png", "cat"), ("a b/c.d.png", "a b-c.d"),
        ("", "image"), ("/", "image"), ("2024.08/1.png", "2024.08-1"),
    ]) func `of files in folders begin with the folder's`(dropped: String, expected: String) {
        #expect(ResultName.make(fromText: dropped) == expected)
    }

    @Test func `of long folders leave room for the file's own`() {
        let long = String(repeating: "n", count: 250)
        let name = ResultName.make(fromText: "\(long)/cat.png")
        #expect(name.hasSuffix("n-cat") && name.utf8.count <= 90)
        #expect(ResultName.make(fromText: "\(long)/\(long)").utf8.count == ResultName.maximumLength)
    }

    @Test func `of 255 bytes leave room for a number`() throws {
        let name = ResultName.make(from: try component(String(repeating: "ü", count: 125) + ".png"))
        #expect(name.utf8.count == ResultName.maximumLength)
        #expect(ResultName.numbered(name, 1_000_000).utf8.count <= 255)
    }

    @Test func `of bytes that are no text are still names`() throws {
        let bytes: [CChar] = [-1, -2, 97, 46, 112, 110, 103, 0]
        let name = try #require(bytes.withUnsafeBufferPointer { FilePath.Component(platformString: $0.baseAddress!) })
        #expect(ResultName.make(from: name) == "__a")
        let settings = try #require(Claim.settingsName(of: name))
        #expect(settings.string.hasSuffix("a.png.yaml"))
    }

    @Test func `count up from the second`() {
        #expect((1...3).map { ResultName.numbered("cat", $0) } == ["cat", "cat-2", "cat-3"])
    }
}

@Suite struct `Job identifiers` {
    @Test func `name the moment and sort by it`() {
        var generator = JobIDGenerator()
        let first = generator.next(now: 1_785_857_412_345)
        #expect(first.description == "20260804-153012-345")
        #expect(first < generator.next(now: 1_785_857_412_346))
    }

    @Test func `stay in order in one millisecond and when the clock is set back`() {
        var generator = JobIDGenerator()
        var ids = (0..<2000).map { _ in generator.next(now: 1_785_857_412_345) }
        ids += (0..<10).map { generator.next(now: 1_000 + Int64($0)) }
        #expect(ids == ids.sorted() && Set(ids).count == ids.count)
    }

    @Test func `come after those already there, whatever the clock says`() throws {
        let existing = try #require(JobID("20990101-000000-999"))
        var generator = JobIDGenerator(after: [existing])
        let next = generator.next(now: 1_785_857_412_345)
        #expect(next.description == "20990101-000001-000")
        #expect(next < generator.next(now: 1_785_857_412_345))
    }

    @Test(arguments: ["", "x", "20260804-153012", "20260804-153012-34a", "../../etc", "20260804-153012-345-1"])
    func `are nothing else`(text: String) { #expect(JobID(text) == nil) }
}

@Suite struct `The job table` {
    let now = ContinuousClock.now
    let ids = ["20260101-000000-001", "20260101-000000-002", "20260101-000000-003"].compactMap { JobID($0) }

    func table() -> JobTable {
        var table = JobTable()
        for id in ids.reversed() { table.add(id, JobLedger(name: "\(id)", claimed: .now), now: now) }
        return table
    }

    /// The next job, which must be there.
    func takeNext(from table: inout JobTable) throws -> (id: JobID, ledger: JobLedger) {
        let next = table.takeNext(now: now)
        return try #require(next)
    }

    @Test func `gives the oldest first`() {
        var table = table()
        #expect(ids.map { _ in table.takeNext(now: now)?.id } == ids)
        #expect(table.takeNext(now: now) == nil)
        #expect(table.runningCount == 3)
    }

    @Test func `gives higher priorities first, and puts jobs back to their place`() {
        var table = JobTable()
        for (id, priority) in zip(ids, [-5, 0, 7]) {
            var ledger = JobLedger(name: "\(id)", claimed: .now)
            ledger.priority = priority == 0 ? nil : priority
            table.add(id, ledger, now: now)
        }
        let first = table.takeNext(now: now)
        #expect(first?.id == ids[2])
        if let first { table.putBack(first.id, first.ledger, .waiting(now)) }
        #expect(ids.map { _ in table.takeNext(now: now)?.id } == [ids[2], ids[1], ids[0]])
    }

    @Test func `keeps the order of many jobs, however they come`() {
        var random = SplitMix(state: 3)
        var generator = JobIDGenerator()
        let jobs = (0..<2000).map { _ in
            (id: generator.next(now: 1_785_857_412_345), priority: Int.random(in: -3...3, using: &random))
        }
        var table = JobTable()
        for job in jobs.shuffled(using: &random) {
            var ledger = JobLedger(name: "x", claimed: .now)
            ledger.priority = job.priority
            table.add(job.id, ledger, now: now)
        }
        let expected = jobs.sorted { ($1.priority, $0.id) < ($0.priority, $1.id) }.map(\.id)
        #expect(jobs.map { _ in table.takeNext(now: now)?.id } == expected)
    }

    @Test func `reads records that know of no priority`() throws {
        try withTemporaryDirectory { path in
            let record = """
                {"version": 1, "name": "cat.png", "claimed": "2026-08-04T15:30:12Z", "state": "waiting", "failures": 2,
                "attempts": []}
                """
            try drop(record, FilePath(path).appending("daemon.json"))
            let ledger = try #require(try JobLedger.read(from: FilePath(path), LocalFileSystem()))
            #expect(ledger.priority == nil && ledger.failures == 2)
        }
    }

    @Test func `lets a job wait for its moment while later ones go ahead`() throws {
        var table = table()
        let first = try takeNext(from: &table)
        table.putBack(first.id, first.ledger, .waiting(now + .seconds(5)))
        #expect(table.takeNext(now: now)?.id == ids[1])
        #expect(table.takeNext(now: now + .seconds(5))?.id == ids[0])
        #expect(table.takeNext(now: now)?.id == ids[2])
    }

    @Test func `knows when to look again and says how things stand`() throws {
        var table = table()
        #expect(table.summary == "3 waiting")
        let first = try takeNext(from: &table)
        let second = try takeNext(from: &table)
        table.putBack(first.id, first.ledger, .paused(now + .seconds(9), reason: "disk full"))
        table.remove(ids[2])
        #expect(table.nextMoment == now + .seconds(9))
        #expect(table.summary == "1 running: \(ids[1]), 1 paused: disk full")
        table.remove(second.id)
        table.remove(first.id)
        #expect(table.summary == "idle")
        #expect(table.nextMoment == nil)
    }

    @Test func `tells how far the running jobs are and when the last of them ends`() throws {
        var table = table()
        let first = try takeNext(from: &table)
        let second = try takeNext(from: &table)
        table.note(.init(fraction: 0.436, eta: 170), of: first.id)
        #expect(table.summary == "2 running: \(ids[0]) 43 %, ..., 1 waiting, ETA 3 min")
        table.note(.init(fraction: 0.5, eta: 7500), of: second.id)
        #expect(table.summary == "2 running: \(ids[0]) 43 %, ..., 1 waiting, ETA 2 h 5 min")
        table.putBack(second.id, second.ledger, .waiting(now))
        table.note(.init(fraction: 0.9, eta: 1), of: second.id)
        #expect(table.summary == "1 running: \(ids[0]) 43 %, 2 waiting, ETA 3 min")
    }

    @Test func `lets none overtake a job for which there is no room`() {
        var table = table()
        #expect(table.takeNext(now: now) { _ in false } == nil)
        #expect(table.takeNext(now: now) { $0 == ids[1] } == nil)
        #expect(table.takeNext(now: now) { $0 == ids[0] }?.id == ids[0])
    }

    @Test func `gives out a job out of its turn once`() {
        var table = table()
        #expect(table.take(ids[1])?.id == ids[1])
        #expect(table.take(ids[1]) == nil)
        #expect(table.runningCount == 1)
    }

    @Test(arguments: [
        (0.4, "0 s"), (59.0, "59 s"), (59.7, "1 min"), (185, "3 min"), (3600, "1 h 0 min"), (-3, "0 s"),
        (.infinity, "0 s"),
    ]) func `says times as people do`(seconds: Double, words: String) {
        #expect(JobTable.words(seconds: seconds) == words)
    }

    @Test func `takes a job that it knows already for the same`() {
        var table = table()
        _ = table.takeNext(now: now)
        table.add(ids[0], JobLedger(name: "again", claimed: .now), now: now)
        #expect(table.entries[ids[0]]?.state == .running)
        #expect(table.entries.count == 3)
    }
}

@Suite struct `Worker verdicts` {
    @Test(arguments: [
        (WorkerEnd.exited(0), WorkerVerdict.finished),
        (.exited(65), .refused(code: "bad_input", message: "said")),
        (.exited(66), .refused(code: "no_input", message: "said")),
        (.exited(78), .refused(code: "bad_settings", message: "said")),
        (.exited(75), .stopped),
        (.exited(70), .failed("exit status 70: said")),
        (.exited(64), .failed("exit status 64: said")),
        (.killed(signal: 9), .failed("killed by signal 9: said")),
    ]) func `follow the exit codes`(end: WorkerEnd, verdict: WorkerVerdict) {
        #expect(WorkerVerdict(end, failure: nil, message: "said") == verdict)
    }

    @Test func `take the worker's own account before its last words`() {
        let failure = FailureReport("truncated", "cat.png: ends early", remedy: "send it again")
        #expect(
            WorkerVerdict(.exited(65), failure: failure, message: "said")
                == .refused(code: "truncated", message: "cat.png: ends early; send it again"))
    }

    @Test func `do not blame the job for what lies outside it`() {
        let failure = FailureReport("no_space", "wait")
        #expect(WorkerVerdict(.exited(74), failure: failure, message: nil) == .postponed("wait"))
        let checkpoint = FailureReport("checkpoint_no_space", "wait")
        #expect(WorkerVerdict(.exited(74), failure: checkpoint, message: nil) == .postponed("wait"))
        #expect(WorkerVerdict(.exited(77), failure: nil, message: "superseded") == .postponed("superseded"))
        #expect(WorkerVerdict(.exited(74), failure: nil, message: "busy") == .postponed("busy"))
        let broken = FailureReport("input_output", "bad sector")
        #expect(WorkerVerdict(.exited(74), failure: broken, message: nil) == .failed("exit status 74: bad sector"))
    }

    @Test func `do not try again without the weights, but without a library`() {
        let weights = FailureReport("weights_not_found", "faces.h5: no such file", exitStatus: .unavailable)
        for end in [WorkerEnd.exited(69), .unobserved] {
            #expect(
                WorkerVerdict(end, failure: weights, message: nil)
                    == .refused(code: "weights_not_found", message: "faces.h5: no such file"))
        }
        let library = FailureReport("unavailable", "no oneDNN")
        #expect(WorkerVerdict(.exited(69), failure: library, message: nil) == .failed("exit status 69: no oneDNN"))
    }

    @Test func `of a worker that nobody watched follow what it wrote down`() {
        let failure = FailureReport("not_an_image", "no PNG", exitStatus: .badInput)
        #expect(
            WorkerVerdict(.unobserved, failure: failure, message: nil)
                == .refused(code: "not_an_image", message: "no PNG"))
        #expect(WorkerVerdict(.unobserved, failure: nil, message: "killed or stopped") == .stopped)
    }
}
