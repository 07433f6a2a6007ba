import Daemon
import Files
import Foundation
import Logging
import SystemPackage
import TestSupport
import Testing

/// Every number in every JSON file that daemon and `dkp status` read may be anything.
@Suite(.serialized) struct `Numbers in files` {
    private static let extremes = [
        "-9223372036854775808", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1e308", "-1e308",
        "1e-308", "0", "-1", "1.5", "9000000000000000000", "\"inf\"", "\"-inf\"", "\"nan\"", "null",
    ]

    private static let files: [String: String] = [
        "daemon.json": """
        {"version": 1, "name": "cat.png", "claimed": "2026-01-01T00:00:00Z", "priority": 10, "state": "running",
         "failures": 11, "failedAtStep": 12, "attempts": []}
        """,
        "progress.json": """
        {"step": 10, "total": 11, "loss": 12, "kernel_loss": 13, "rate": 14, "eta": 15, "phase": "similarity",
         "pid": 16, "updated": "2026-01-01T00:00:00Z"}
        """,
        "status.json": """
        {"version": 10, "process": 11, "state": "running", "line": "idle", "paused": [], "stalled": [],
         "free_space_floor": 12, "updated": "2026-01-01T00:00:00Z"}
        """,
        "error.json": """
        {"job": "20260101-000000-001", "name": "cat.png", "priority": 10, "code": "bad_input", "message": "no PNG",
         "attempts": [], "exit_code": 11}
        """,
        "report.json": """
        {"format": "dkp-report", "format_version": 10, "job_id": "20260101-000000-001", "original_name": "cat.png",
         "finished": "2026-01-01T00:00:00Z", "seconds": 11, "peak_memory_bytes": 12, "input_sha256": "x",
         "settings": {"scale": 13, "steps": 14, "seed": 15, "threads": 16, "checkpoint_interval": 17}}
        """,
    ]

    /// Every file with every number replaced by every extreme.
    private static func variants(_ name: String) -> [String] {
        let text = files[name] ?? ""
        return (10...17).filter { text.contains(": \($0)") }.flatMap { number in
            extremes.map { text.replacing(": \(number)", with: ": \($0)") }
        }
    }

    private func withFolder(_ body: (StateFolder) throws -> Void) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            try body(folder)
        }
    }

    @Test func `of a job's record are in their range, or the record counts as lost`() throws {
        try withFolder { folder in
            var table = JobTable()
            for (number, text) in Self.variants("daemon.json").enumerated() {
                let id = try #require(JobID("20260101-000000-\(String(1000 + number).suffix(3))"))
                try LocalFileSystem().makeDirectory(folder.job(id))
                try drop(text, folder.job(id).appending("daemon.json"))
                guard var ledger = try JobLedger.read(from: folder.job(id), LocalFileSystem()) else { continue }
                #expect(ledger.failures >= 0 && (-100...100).contains(ledger.priority ?? 0))
                #expect(ledger.failedAtStep ?? 0 >= 0)
                ledger.failures += 1
                table.add(id, ledger, now: .now)
            }
            #expect(table.entries.count > 12)
            var priorities: [Int] = []
            while let job = table.takeNext(now: .now) { priorities.append(job.ledger.priority ?? 0) }
            #expect(priorities == priorities.sorted(by: >) && priorities.last == -100 && priorities.first == 100)
        }
    }

    @Test func `are shown by the survey as far as they mean something`() throws {
        try withFolder { folder in
            let id = try #require(JobID("20260101-000000-001"))
            let rejection = folder.rejected.appending("cat")
            let result = folder.outbox.appending("cat")
            for path in [folder.job(id), rejection, result] { try LocalFileSystem().makeDirectory(path) }
            let places = [
                "daemon.json": folder.job(id), "progress.json": folder.job(id), "status.json": folder.root,
                "error.json": rejection, "report.json": result,
            ]
            for (name, place) in places { try drop(Self.files[name] ?? "", place.appending(name)) }
            let retention = Retention(folder, files: LocalFileSystem(), logger: Logger(label: "test"))
            for (name, place) in places {
                for text in Self.variants(name) {
                    try drop(text, place.appending(name))
                    let survey = try StateSurvey(folder)
                    let job = try #require(survey.jobs.first)
                    #expect(job.step ?? 0 >= 0 && job.step ?? 0 < Int.max / 1000, "\(text)")
                    #expect(job.rate.map { $0.isFinite && $0 > 0 } ?? true, "\(text)")
                    #expect(job.eta.map { $0.isFinite && $0 >= 0 } ?? true, "\(text)")
                    #expect(survey.json.contains("20260101-000000-001"), "\(text)")
                    _ = retention.removeResults(olderThan: 36_500, now: Date())
                    _ = RejectionReport.read(from: rejection, LocalFileSystem())?.priority.map { -$0 }
                }
                try drop(Self.files[name] ?? "", place.appending(name))
            }
        }
    }

    @Test(.tags(.slow)) func `stop neither the daemon nor dkp status`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            var broken = JobsForTests(folder, content: Array("broken".utf8))
            var count = 0
            for name in ["daemon.json", "progress.json", "error.json"] {
                for text in Self.variants(name) {
                    let id = try broken.make("job \(count)")
                    count += 1
                    try drop(text, folder.job(id).appending(name))
                    try drop("checkpoint", folder.job(id).appending("checkpoint-9223372036854775807.h5"))
                }
            }
            for arguments in [["status"], ["status", "--json"]] {
                let end = try await Programs.captureAside("dkp", arguments + ["--state-dir", folder.root.string])
                #expect(end.status == 0, "\(end.errors)")
            }
            let daemon = try DaemonProcess(
                root, worker: FakeWorker.make(in: root), settings: "attempts: 1\nworkers: 2\nthreads: 1")
            try await wait(for: "all rejections: \(daemon.log)") { daemon.list("rejected").count == count }
            let end = try await Programs.captureAside("dkp", ["status", "--state-dir", folder.root.string])
            #expect(end.status == 0, "\(end.errors)")
            #expect(try await daemon.stop().status == 0)
        }
    }
}
