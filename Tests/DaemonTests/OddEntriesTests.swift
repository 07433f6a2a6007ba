import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// What may lie where a file or a directory of another kind is expected.
enum OddKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case directory
    case pipe = "FIFO"
    case link = "dangling link"
    case socket

    var testDescription: String { rawValue }

    /// Makes one.
    /// - Throws: what the system says, where there is a thing of that name.
    func make(_ path: FilePath) throws {
        switch self {
        case .directory:
            try LocalFileSystem().makeDirectory(path)
            try drop("x", path.appending("x"))
        case .pipe: guard mkfifo(path.string, 0o666) == 0 else { throw Errno(rawValue: errno) }
        case .link: guard symlink("/nowhere/at/all", path.string) == 0 else { throw Errno(rawValue: errno) }
        case .socket: guard mknod(path.string, S_IFSOCK | 0o666, 0) == 0 else { throw Errno(rawValue: errno) }
        }
    }
}

/// Jobs in front of a real daemon, each with one odd thing in its directory, and healthy ones among them.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct `The daemon with odd things in its folders` {
    /// Files that daemon and worker have in a job's directory, but for the two without which there is no job.
    private static let files = [
        "daemon.json", ".daemon.json.dkp-tmp", "progress.json", "runs.json", "error.json", "job.log", "lock", "cancel",
        "settings.yaml", "checkpoint-00000010.h5", "lease-3", "lease-999999999999999", "input.jpg",
        "rejection/error.json", "rejection/job.log", "result/report.json", "result/restored.png",
    ]
    /// And directories.
    private static let directories = ["result", "rejection", "dropped"]

    @Test(arguments: OddKind.allCases) func `finishes every job but for them`(_ kind: OddKind) async throws {
        try await withJobs { folder, make in
            var healthy = [try make("first")]
            var names = Self.files
            // A directory is the right kind there; an empty result is none all the same.
            if kind != .directory { names += Self.directories }
            for name in names {
                let path = folder.job(try make(name.replacing("/", with: "-"))).appending(name)
                if name.contains("/") { try LocalFileSystem().makeDirectory(path.removingLastComponent()) }
                try kind.make(path)
            }
            if kind == .directory {
                let empty = try make("empty")
                try LocalFileSystem().makeDirectory(folder.job(empty).appending("result"))
                for name in Self.directories {
                    try drop("x", folder.job(try make("file \(name)")).appending(name))
                }
            }
            // Beside the jobs, too.
            for name in [
                "strange", "20270101-000000-500", ".20270101-000000-501.new", ".20270101-000000-502.done",
                ".new-20270101-000000-503", ".20270101-000000-504.cancel", "99999999-999999-999",
            ] {
                try kind.make(folder.jobs.appending(name))
            }
            healthy.append(try make("last"))
            return names.count + (kind == .directory ? 4 : 0) + 2
        }
    }

    @Test func `ends a job whose input or description is odd with the reason`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let image = root.appending("cat.png")
            #expect(try Programs.run("dkp", ["sample-scene", image.string, "--size", "16x16"]).status == 0)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            var maker = JobsForTests(
                folder, content: try LocalFileSystem().read(image, limit: 1 << 20),
                settings: "method: dip-dkp\nsteps: 2\nscale: 2\nprecision: f32\nthreads: 1\n")
            for kind in OddKind.allCases {
                for name in ["input.png", "job.json"] {
                    let path = folder.job(try maker.make("\(kind.rawValue) \(name)")).appending(name)
                    try LocalFileSystem().removeFile(path)
                    try kind.make(path)
                }
            }
            _ = try maker.make("healthy")
            let daemon = try DaemonProcess(root, worker: nil)
            try await wait(for: "the end of all jobs: \(daemon.log)") { daemon.list("jobs").isEmpty }
            #expect(daemon.list("outbox") == ["healthy"])
            #expect(daemon.list("rejected").count == 2 * OddKind.allCases.count, "\(daemon.list("rejected"))")
            for name in daemon.list("rejected") {
                let report = RejectionReport.read(from: folder.rejected.appending(name), LocalFileSystem())
                #expect(report?.attempts == [], "\(name): \(report?.message ?? "")")
            }
            #expect(try await daemon.stop().status == 0)
        }
    }

    /// A user who may do little, to whom the daemon can be given.
    private static let mayBecomeNobody =
        getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")

    @Test(.enabled(if: mayBecomeNobody)) func `pauses a job that it may not read, and names each thing once`()
        async throws
    {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            var maker = JobsForTests(folder)
            _ = try maker.make("first")
            let worker = try FakeWorker.make(in: root)
            let finished = Date(timeIntervalSinceNow: -99 * 86_400).formatted(.iso8601)
            for name in ["locked", "old"] {
                try LocalFileSystem().makeDirectory(folder.outbox.appending(name))
                let report =
                    "{\"finished\": \"\(finished)\", \"format\": \"dkp-report\", "
                    + "\"job_id\": \"20260101-000000-00\(name.count)\", \"original_name\": \"cat.png\"}"
                try drop(report, folder.outbox.appending(name).appending("report.json"))
            }
            try #require(Self.give(root, to: "nobody") == 0)
            // All of these are root's.
            let locked = ["20270101-000000-600", ".20270101-000000-601.done", ".20270101-000000-602.new"]
            for name in locked {
                let directory = folder.jobs.appending(name)
                try LocalFileSystem().makeDirectory(directory)
                try drop("x", directory.appending("input.png"))
                #expect(chmod(directory.string, 0o700) == 0)
            }
            let result = folder.outbox.appending("locked").string
            #expect(chown(result, 0, 0) == 0 && chmod(result, 0o755) == 0)

            let daemon = try DaemonProcess(root, worker: worker, settings: "keep_results: 30", user: "nobody")
            try await daemon.waitUntilReady()
            try drop("ok", folder.inbox.appending("second.png"))
            try await wait(for: "the healthy ones: \(daemon.log)") {
                daemon.list("outbox") == ["first", "locked", "second"]
            }
            // The paused one has had several turns more.
            try await Task.sleep(for: .seconds(1))
            #expect(daemon.list("jobs") == locked.sorted())
            for name in locked + ["locked"] {
                let lines = daemon.log.split(separator: "\n").filter { $0.contains(name) && !$0.contains("notice") }
                #expect((1...2).contains(lines.count), "\(name): \(lines)")
            }
            var told = ""
            for _ in 0..<100 where !told.contains("paused") {
                let status = try await Programs.captureAside("dkp", ["status", "--state-dir", folder.root.string])
                #expect(status.status == 0)
                told =
                    status.output.split(separator: "\n").first { $0.contains("20270101-000000-600") }.map(String.init)
                    ?? ""
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(told.contains("paused") && told.contains("another user"), "\(told)")
            #expect(try await daemon.stop().status == 0)
        }
    }

    private static func give(_ root: FilePath, to user: String) -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/chown")
        process.arguments = ["-R", user, root.string]
        do { try process.run() } catch { return -1 }
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Makes jobs, starts a daemon on them, and expects so many results.
    private func withJobs(
        _ body: (StateFolder, (String) throws -> JobID) throws -> Int
    ) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            var maker = JobsForTests(folder)
            let count = try body(folder) { try maker.make($0) }
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await wait(for: "all results: \(daemon.log)") {
                daemon.list("outbox").count == count && !daemon.list("jobs").contains { $0.hasPrefix("2026") }
            }
            #expect(daemon.list("rejected") == [])
            #expect(daemon.list("jobs").contains("strange"))
            for name in daemon.list("outbox") {
                let result = folder.outbox.appending(name)
                #expect(try text(result.appending("restored.png")) == "ok", "\(name)")
                #expect(try names(result).contains("input.png"), "\(name)")
            }
            try await daemon.waitUntilReady()
            #expect(try await daemon.stop().status == 0)
        }
    }
}

/// Makes jobs as a daemon's claims do.
struct JobsForTests {
    private let folder: StateFolder
    private let content: [UInt8]
    private let settings: String
    private var count = 0

    init(_ folder: StateFolder, content: [UInt8] = Array("ok".utf8), settings: String = "") {
        self.folder = folder
        self.content = content
        self.settings = settings
    }

    /// A job for an image of that name.
    mutating func make(_ name: String) throws -> JobID {
        count += 1
        let id = try #require(JobID("20260101-000000-\(String(1000 + count).suffix(3))"))
        let file = "\(name).png"
        try LocalFileSystem().write(content, to: folder.inbox.appending(file))
        if !settings.isEmpty { try drop(settings, folder.inbox.appending(file + ".yaml")) }
        let claim = Protocols(folder, MortalFileSystem(changes: .max)).claim
        #expect(try claim.claim(component(file), as: id))
        return id
    }
}

@Suite struct `A job's directory` {
    private func withJob(_ body: (StateFolder, JobID) throws -> Void) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            try folder.create(LocalFileSystem())
            var maker = JobsForTests(folder)
            try body(folder, try maker.make("cat"))
        }
    }

    private func phase(_ folder: StateFolder, _ id: JobID) throws -> JobPhase {
        try JobPhase(of: folder.job(id), LocalFileSystem())
    }

    @Test(arguments: [
        [:], ["report.json": "{}"], ["restored.png": "x"], ["report.json": "{}", "restored.png": ""],
        ["report.json": "", "restored.png": "x"],
    ]) func `with half a result is no finished job`(_ content: [String: String]) throws {
        try withJob { folder, id in
            let result = folder.job(id).appending("result")
            try LocalFileSystem().makeDirectory(result)
            for (name, text) in content { try drop(text, result.appending(name)) }
            #expect(try phase(folder, id) == .working)
            // The image may be in it by now.
            try LocalFileSystem().rename(
                folder.job(id).appending("input.png"), to: result.appending("input.png"))
            #expect(try phase(folder, id) == .working)
            try drop("{}", result.appending("report.json"))
            try drop("x", result.appending("restored.png"))
            #expect(try phase(folder, id) == .publishing)
        }
    }

    @Test func `with a rejection that is none goes on`() throws {
        try withJob { folder, id in
            try drop("x", folder.job(id).appending("rejection"))
            #expect(try phase(folder, id) == .working)
            try LocalFileSystem().removeFile(folder.job(id).appending("rejection"))
            try LocalFileSystem().makeDirectory(folder.job(id).appending("rejection"))
            try LocalFileSystem().makeDirectory(folder.job(id).appending("rejection").appending("error.json"))
            #expect(try phase(folder, id) == .working)
        }
    }

    @Test(arguments: OddKind.allCases)
    func `is written to by names that nobody else's things can hold`(_ kind: OddKind) throws {
        try withTemporaryDirectory { path in
            let file = FilePath(path).appending("daemon.json")
            try kind.make(FilePath(path).appending(".daemon.json.dkp-tmp"))
            try LocalFileSystem().write(Array("new".utf8), to: file)
            #expect(try text(file) == "new" && names(FilePath(path)) == ["daemon.json"])
        }
    }

    @Test func `is not written through another name of a file`() throws {
        try withTemporaryDirectory { path in
            let precious = FilePath(path).appending("precious")
            try drop("old", precious)
            try #require(link(precious.string, FilePath(path).appending(".a.dkp-tmp").string) == 0)
            try LocalFileSystem().write(Array("new".utf8), to: FilePath(path).appending("a"))
            #expect(try text(precious) == "old")
        }
    }

    @Test(arguments: ["99999999-999999-999", "20260001-000000-000", "20260132-000000-000", "20260101-240000-000"])
    func `has a moment as its name`(_ text: String) { #expect(JobID(text) == nil) }

    @Test func `of the last year that can be written is not counted on from`() throws {
        let last = try #require(JobID("99991231-235959-999"))
        var generator = JobIDGenerator(after: [last])
        #expect(JobID(generator.next(now: 1_800_000_000_000).description) != nil)
    }
}
