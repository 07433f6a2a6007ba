import Daemon
import Failures
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// What an operator does with `dkp`, with a daemon up and down.
@Suite(.serialized, .timeLimit(.minutes(3))) struct `The operator's commands` {
    private func withDaemon(_ body: (DaemonProcess, _ worker: FilePath) async throws -> Void) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let worker = try FakeWorker.make(in: root)
            let daemon = try DaemonProcess(root, worker: worker)
            try await daemon.waitUntilReady()
            try await body(daemon, worker)
        }
    }

    private func dkp(_ state: FilePath, _ arguments: String...) async throws -> (
        status: Int32, output: String, errors: String
    ) {
        try await Programs.captureAside("dkp", arguments + ["--state-dir", state.string])
    }

    private func survey(_ state: FilePath) async throws -> StateSurvey {
        let run = try await dkp(state, "status", "--json")
        #expect(run.status == 0, "\(run.errors)")
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(StateSurvey.self, from: Data(run.output.utf8))
    }

    private static func counts(_ daemon: DaemonProcess) throws -> StateSurvey.Counts {
        try StateSurvey(StateFolder(daemon.state)).counts
    }

    /// A state folder without a daemon.
    private func withFolder(_ body: (StateFolder) async throws -> Void) async throws {
        try await withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            try await body(folder)
        }
    }

    /// Makes a job as a claim does.
    private func makeJob(_ folder: StateFolder, _ id: String, name: String) throws -> JobID {
        let id = try #require(JobID(id))
        try drop("ok", folder.inbox.appending(name))
        let protocols = Protocols(folder, MortalFileSystem(changes: .max))
        #expect(try protocols.claim.claim(component(name), as: id))
        return id
    }

    // MARK: status

    @Test func `status tells where every image is`() async throws {
        try await withDaemon { daemon, _ in
            let inbox = daemon.state.appending("inbox")
            try drop("ok", inbox.appending("good.png"))
            try drop("bad", inbox.appending("bad.png"))
            try await wait(for: "two ends: \(daemon.log)") {
                daemon.list("outbox").count + daemon.list("rejected").count == 2
            }
            try drop("stubborn", inbox.appending("long.png"))
            try drop("ok", inbox.appending("next.png"))
            try await wait(for: "both jobs") {
                let counts = try Self.counts(daemon)
                return counts.running == 1 && counts.waiting == 1
            }
            let found = try await survey(daemon.state)
            #expect(found.daemon.isUp && found.daemon.line?.hasPrefix("1 running: long.png") == true)
            #expect(found.jobs.map(\.name) == ["long.png", "next.png"])
            #expect(found.counts.done == 1 && found.counts.rejected == 1 && found.counts.inbox == 0)
            #expect(found.results.map(\.name) == ["good"])
            #expect(found.rejections.map(\.reason) == ["no PNG signature"])
            let table = try await dkp(daemon.state, "status").output
            #expect(table.contains("dkpd is up") && table.contains("1 waiting, 1 running"))
            #expect(table.contains("long.png") && table.contains("no PNG signature"), "\(table)")

            try await daemon.killAtOnce()
            let down = try await survey(daemon.state)
            #expect(!down.daemon.isUp && down.counts.waiting == 2 && down.counts.running == 0)
            #expect(try await dkp(daemon.state, "status").output.contains("dkpd is down"))
            try Self.endWorkers(of: daemon)
        }
    }

    @Test func `status shows progress, and a name that is no good for a terminal harmlessly`() async throws {
        try await withFolder { folder in
            let id = try makeJob(folder, "20260101-000000-001", name: "a\u{1B}[31m\nb.png")
            let now = Date().formatted(.iso8601)
            try drop(
                #"{"step": 43, "total": 100, "rate": 2, "eta": 28.4, "phase": "x", "pid": 1, "updated": "\#(now)"}"#,
                folder.job(id).appending("progress.json"))
            var ledger = JobLedger(name: "a\u{1B}[31m\nb.png", claimed: Date())
            ledger.state = "running"
            try ledger.write(to: folder.job(id), LocalFileSystem())
            let job = try #require(try await survey(folder.root).jobs.first)
            #expect(job.step == 43 && job.total == 100 && job.rate == 2 && job.eta == 28.4)
            let table = try await dkp(folder.root, "status").output
            #expect(table.contains("43 %") && table.contains("2.00") && table.contains("28 s"))
            #expect(!table.contains("\u{1B}") && table.split(separator: "\n").count == 4, "\(table)")
        }
    }

    @Test func `find the folder by flag, environment, or say what is missing`() async throws {
        try await withFolder { folder in
            let run = try await Programs.captureAside(
                "dkp", ["status"], environment: ["DKP_STATE_DIR": folder.root.string])
            #expect(run.status == 0 && run.output.contains(folder.root.string))
            let none = try await dkp(folder.root.appending("none"), "status")
            #expect(
                none.status == 66 && none.errors.contains("no state folder") && none.errors.contains("DKP_STATE_DIR"))
        }
    }

    @Test func `find the folder in the daemon's settings file`() async throws {
        try await withFolder { folder in
            let file = folder.root.appending("dkpd.yaml")
            try drop("state_dir: \(folder.root.string)\nworkers: 7\n", file)
            #expect(try StateFolder.find(nil, environment: [:], settingsFile: file) == folder)
            #expect(
                try StateFolder.find(nil, environment: ["DKP_STATE_DIR": folder.root.string], settingsFile: "/none")
                    == folder)
            #expect(throws: (any Error).self) {
                try StateFolder.find("/none", environment: ["DKP_STATE_DIR": folder.root.string], settingsFile: file)
            }
        }
    }

    // MARK: submit

    @Test func `submit puts images into the inbox whole, with their settings, beside others of the name`() async throws
    {
        try await withFolder { folder in
            let image = folder.root.appending("cat.png")
            try drop("ok", image)
            for expected in ["cat.png", "cat-2.png"] {
                let run = try await dkp(folder.root, "submit", image.string, "--set", "scale=2", "--set", "steps=")
                #expect(run.status == 0, "\(run.errors)")
                #expect(run.output == folder.inbox.appending(expected).string + "\n")
                #expect(try text(folder.inbox.appending(expected)) == "ok")
                #expect(try text(folder.inbox.appending(expected + ".yaml")).hasSuffix("only\nscale: 2\nsteps: null\n"))
            }
            #expect(try await dkp(folder.root, "submit", image.string).status == 0)
            #expect(
                try names(folder.inbox) == ["cat-2.png", "cat-2.png.yaml", "cat-3.png", "cat.png", "cat.png.yaml"])
        }
    }

    @Test(arguments: [
        ("scale=5", "allowed: 2, 3, 4 or 8"), ("scael=4", "unknown setting"), ("scale", "not of the form key=value"),
        ("oracle_kernel=/etc/passwd", "oracle_kernel cannot be set"),
    ])
    func `submit copies nothing with settings that cannot be used`(_ setting: String, _ sentence: String) async throws {
        try await withFolder { folder in
            let image = folder.root.appending("cat.png")
            try drop("ok", image)
            let run = try await dkp(folder.root, "submit", image.string, "--set", setting)
            #expect(run.status == 78 && run.errors.contains(sentence), "\(run.errors)")
            #expect(try names(folder.inbox) == [])
        }
    }

    @Test func `submit refuses what is no file, and leaves nothing half done`() async throws {
        try await withFolder { folder in
            for (file, status) in [("/none.png", 66), ("/", 65), ("/dev/null", 65)] as [(String, Int32)] {
                let run = try await dkp(folder.root, "submit", file)
                #expect(run.status == status, "\(file): \(run.errors)")
            }
            try drop("x", folder.root.appending("cat.png.part"))
            #expect(try await dkp(folder.root, "submit", folder.root.appending("cat.png.part").string).status == 64)
            #expect(try names(folder.inbox) == [])
        }
    }

    // MARK: cancel

    @Test func `cancel stops a running job and rejects a waiting one, the originals kept`() async throws {
        try await withDaemon { daemon, _ in
            let inbox = daemon.state.appending("inbox")
            // The first keeps the one worker busy until it is cancelled.
            try drop("endless", inbox.appending("first.png"))
            try await wait(for: "the first") { try Self.counts(daemon).running == 1 }
            try drop("ok", inbox.appending("second.png"))
            try await wait(for: "the second") { try Self.counts(daemon).waiting == 1 }
            let second = try await dkp(daemon.state, "cancel", "second.png")
            #expect(second.status == 0 && second.output.contains("rejected/second"), "\(second)")
            let first = try await dkp(daemon.state, "cancel", "first")
            #expect(first.status == 0 && first.output.contains("cancelled: "), "\(first)")
            #expect(daemon.list("rejected") == ["first", "second"] && daemon.list("outbox") == [])
            for name in ["first", "second"] {
                let place = daemon.state.appending("rejected").appending(name)
                let report = try #require(RejectionReport.read(from: place, LocalFileSystem()))
                #expect(report.code == "cancelled" && report.message.hasPrefix("cancelled by "))
                #expect(report.attempts == [])
            }
            let original = daemon.state.appending("rejected/first/original.png")
            #expect(try text(original) == "endless")
            #expect(try text(daemon.state.appending("rejected/first/job.log")).contains("stopped"))
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `cancel works without a daemon, and takes the job from a worker that is left`() async throws {
        try await withFolder { folder in
            let id = try makeJob(folder, "20260101-000000-001", name: "cat.png")
            try LocalFileSystem().makeDirectory(folder.job(id).appending("lease-4"))
            let run = try await dkp(folder.root, "cancel", "2026")
            #expect(run.status == 0 && run.output == "cancelled: \(folder.rejected.appending("cat"))\n", "\(run)")
            #expect(try names(folder.jobs) == [])
            #expect(
                try names(folder.rejected.appending("cat")) == ["error.json", "job.json", "job.log", "original.png"])
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root may act as another user"))
    func `cancel leaves a stopped daemon of another user the rest, so that all files stay that user's`() async throws {
        try await withFolder { folder in
            let id = try makeJob(folder, "20260101-000000-001", name: "cat.png")
            #expect(chown(folder.root.string, 12_345, 12_345) == 0)
            let run = try await dkp(folder.root, "cancel", "cat")
            #expect(run.status == 0 && run.output == "asked for; carried out when the daemon starts\n", "\(run)")
            #expect(try names(folder.requests) == ["cancel-\(id)"])
            #expect(try names(folder.rejected) == [])
        }
    }

    @Test func `a request to cancel outlives a daemon that was killed before it could follow it`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            let id = try makeJob(folder, "20260101-000000-001", name: "cat.png")
            try Cancellation.request(id, by: "me", in: folder, LocalFileSystem())
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await wait(for: "the rejection: \(daemon.log)") { daemon.list("rejected") == ["cat"] }
            #expect(try text(folder.rejected.appending("cat/error.json")).contains("cancelled by me"))
            #expect(!daemon.log.contains("worker starts"))
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `a name that means several jobs is an error that lists them`() async throws {
        try await withFolder { folder in
            _ = try makeJob(folder, "20260101-000000-001", name: "cat.png")
            _ = try makeJob(folder, "20260101-000000-002", name: "cat.png")
            for name in ["cat.png", "cat", "20260101"] {
                let run = try await dkp(folder.root, "cancel", name)
                #expect(run.status == 64, "\(run)")
                #expect(run.errors.contains("20260101-000000-001") && run.errors.contains("20260101-000000-002"))
            }
            let none = try await dkp(folder.root, "cancel", "dog")
            #expect(none.status == 66 && none.errors.contains("no such job"))
            #expect(try names(folder.jobs).count == 2)
            #expect(try await dkp(folder.root, "cancel", "20260101-000000-002").status == 0)
            #expect(try names(folder.jobs) == ["20260101-000000-001"])
        }
    }

    // MARK: what reaches a terminal

    @Test func `whatever a name or a log holds, no command hands it to the terminal raw`() async throws {
        let hostile = "a\u{1B}]0;x\u{7}\u{9B}31m\u{202E}\u{2028}\u{FEFF}.png"
        func isHarmless(_ text: String) -> Bool {
            text.unicodeScalars.allSatisfy { PrintableText.isPlain($0) || $0 == "\n" || $0 == "\t" }
        }
        try await withFolder { folder in
            let id = try makeJob(folder, "20260101-000000-001", name: hostile)
            var ledger = JobLedger(name: hostile, claimed: Date())
            (ledger.state, ledger.reason) = ("paused", "see \u{1B}[2J\u{202E}")
            try ledger.write(to: folder.job(id), LocalFileSystem())
            try drop("one\ttwo\n\u{1B}]0;title\u{7}\u{9B}m \u{202E}x ü\rover\n", folder.job(id).appending("job.log"))

            let json = try await dkp(folder.root, "status", "--json")
            #expect(json.status == 0 && isHarmless(json.output), "\(json.output.debugDescription)")
            #expect(try await survey(folder.root).jobs.first?.name == hostile)
            #expect(isHarmless(try await dkp(folder.root, "status").output))
            let log = try await dkp(folder.root, "logs", id.description).output
            #expect(log == "one\ttwo\n" + #"\u{1B}]0;title\u{07}\u{9B}m \u{202E}x ü\rover"# + "\n", "\(log)")
            for arguments in [["cancel", hostile], ["retry", hostile], ["retry", hostile], ["logs", hostile]] {
                let run = try await Programs.captureAside("dkp", arguments + ["--state-dir", folder.root.string])
                #expect(isHarmless(run.output) && isHarmless(run.errors), "\(arguments[0]): \(run)")
                #expect(!(run.output + run.errors).isEmpty)
            }
            let image = folder.root.appending(hostile)
            try drop("ok", image)
            let submitted = try await dkp(folder.root, "submit", image.string)
            #expect(submitted.status == 0 && isHarmless(submitted.output), "\(submitted)")
            for file in ["inspect", "submit", "evaluate", "restore", "--" + hostile] {
                let run = try await dkp(folder.root, file, "/none/\(hostile)")
                #expect(run.status != 0 && isHarmless(run.output) && isHarmless(run.errors), "\(file): \(run)")
            }
        }
    }

    // MARK: retry, logs

    @Test func `retry puts an image back with the settings that it had`() async throws {
        try await withFolder { folder in
            let id = try makeJob(folder, "20260101-000000-001", name: "cat.png")
            var ledger = JobLedger(name: "cat.png", claimed: Date())
            ledger.priority = 7
            try ledger.write(to: folder.job(id), LocalFileSystem())
            #expect(try await dkp(folder.root, "cancel", id.description).status == 0)
            let run = try await dkp(folder.root, "retry", "cat", "--set", "seed=9")
            #expect(run.status == 0 && run.output == "\(folder.inbox.appending("cat.png"))\n", "\(run)")
            #expect(try names(folder.inbox) == ["cat.png", "cat.png.yaml"] && names(folder.rejected) == [])
            let settings = try text(folder.inbox.appending("cat.png.yaml"))
            #expect(settings.contains("scale: 4\n") && settings.contains("seed: 9\n"), "\(settings)")
            #expect(settings.contains("priority: 7\n"), "\(settings)")
            // And the daemon takes them.
            let again = try #require(JobID("20260101-000000-009"))
            let protocols = Protocols(folder, MortalFileSystem(changes: .max))
            #expect(try protocols.claim.claim(component("cat.png"), as: again))
            #expect(try text(folder.job(again).appending("job.json")).contains("\"seed\" : 9"))
        }
    }

    @Test func `retry of settings that cannot be used needs others`() async throws {
        try await withFolder { folder in
            let id = try #require(JobID("20260101-000000-001"))
            try drop("ok", folder.inbox.appending("cat.png"))
            try drop("scael: 2", folder.inbox.appending("cat.png.yaml"))
            let protocols = Protocols(folder, MortalFileSystem(changes: .max))
            #expect(try protocols.claim.claim(component("cat.png"), as: id))
            _ = try protocols.publication.completeRejection(id, name: "cat.png")
            let refused = try await dkp(folder.root, "retry", "cat")
            #expect(refused.status == 78 && refused.errors.contains("scael"), "\(refused)")
            #expect(try names(folder.rejected) == ["cat"] && names(folder.inbox) == [])
            #expect(try await dkp(folder.root, "retry", "cat", "--without-settings", "--set", "scale=2").status == 0)
            #expect(try text(folder.inbox.appending("cat.png.yaml")).hasSuffix("only\nscale: 2\n"))
        }
    }

    @Test func `logs are found wherever the job is`() async throws {
        try await withDaemon { daemon, _ in
            let inbox = daemon.state.appending("inbox")
            try drop("ok", inbox.appending("good.png"))
            try drop("broken", inbox.appending("broken.png"))
            try await wait(for: "two ends: \(daemon.log)") {
                daemon.list("outbox").count + daemon.list("rejected").count == 2
            }
            #expect(try await dkp(daemon.state, "logs", "good").output.contains("run of ok"))
            let broken = try await dkp(daemon.state, "logs", "broken.png")
            #expect(broken.output.components(separatedBy: "it broke").count == 4, "\(broken)")
            try drop("slow", inbox.appending("slow.png"))
            try await wait(for: "the job") { try Self.counts(daemon).running == 1 }
            // Ends by itself, with the job.
            let followed = try await dkp(daemon.state, "logs", "-f", "slow.png")
            #expect(followed.status == 0 && followed.output.contains("run of slow"), "\(followed)")
            try await wait(for: "the result") { daemon.list("outbox") == ["good", "slow"] }
            #expect(try await daemon.stop().status == 0)
        }
    }

    /// Ends the workers that a killed daemon left.
    private static func endWorkers(of daemon: DaemonProcess) throws {
        for process in try LocalFileSystem().entries("/proc").compactMap({ pid_t($0.string) }) {
            let line = (try? LocalFileSystem().read(FilePath("/proc/\(process)/cmdline"), limit: 4096)) ?? []
            if String(decoding: line, as: UTF8.self).contains(daemon.state.appending("jobs").string) {
                kill(process, SIGKILL)
            }
        }
    }
}
