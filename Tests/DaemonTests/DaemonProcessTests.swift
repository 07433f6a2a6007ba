import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The daemon as a process, with real files and signals; its workers are a script, so that every exit code comes up.
@Suite(.serialized, .timeLimit(.minutes(3))) struct `The daemon` {
    @Test func `makes its folders, restores what is dropped, and stops when asked`() async throws {
        try await withDaemon { daemon in
            // What begins with a dot is being written this very moment.
            #expect(
                daemon.list("").filter { !["dkpd.lock", "dkpd.pid", "status.json"].contains($0) && !$0.hasPrefix(".") }
                    == ["inbox", "jobs", "outbox", "rejected", "requests", "weights"])
            for _ in 0..<3 {
                try drop("ok", daemon.state.appending("inbox").appending("cat.png"))
                let before = daemon.list("outbox").count
                try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox").count > before }
            }
            #expect(daemon.list("outbox") == ["cat", "cat-2", "cat-3"])
            let result = daemon.state.appending("outbox").appending("cat")
            #expect(try names(result) == ["input.png", "job.log", "report.json", "restored.png"])
            try await wait(for: "an empty jobs folder") { daemon.list("jobs") == [] }
            #expect(daemon.list("inbox") == [] && daemon.list("rejected") == [])
            let end = try await daemon.stop()
            #expect(end.status == 0 && end.duration < Soak.stopLimit)
        }
    }

    @Test func `takes what was dropped while it was down, the oldest first`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            try StateFolder(root.appending("state")).create(LocalFileSystem())
            for name in ["b", "a", "c"] {
                try drop("ok", root.appending("state").appending("inbox").appending(name + ".png"))
                try await Task.sleep(for: .milliseconds(20))
            }
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await wait(for: "three results: \(daemon.log)") { daemon.list("outbox").count == 3 }
            let starts = daemon.log.split(separator: "\n").filter { $0.contains("worker starts") }
            #expect(starts.compactMap { $0.split(separator: "name=\"").last } == ["b.png\"", "a.png\"", "c.png\""])
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `gives each exit code its meaning`() async throws {
        try await withDaemon { daemon in
            for what in ["bad", "settings", "broken", "flaky", "empty", "killed"] {
                try drop(what, daemon.state.appending("inbox").appending(what + ".png"))
            }
            try await wait(for: "six ends: \(daemon.log)") {
                daemon.list("outbox").count + daemon.list("rejected").count == 6 && daemon.list("jobs").isEmpty
            }
            #expect(daemon.list("outbox") == ["flaky"])
            #expect(daemon.list("rejected") == ["bad", "broken", "empty", "killed", "settings"])
            func error(_ name: String) throws -> RejectionReport {
                let decoder = JSONDecoder()
                decoder.dateDecodingStrategy = .iso8601
                let path = daemon.state.appending("rejected").appending(name).appending("error.json")
                return try decoder.decode(RejectionReport.self, from: Data(text(path).utf8))
            }
            #expect(try error("bad").message == "no PNG signature" && error("bad").code == "not_an_image")
            #expect(try error("bad").attempts == [] && error("settings").attempts == [])
            #expect(try error("settings").message == "no such thing")
            #expect(
                try error("broken").attempts.map(\.message) == Array(repeating: "exit status 70: it broke", count: 3))
            #expect(try error("killed").attempts.map(\.outcome) == Array(repeating: "killed by signal 9", count: 3))
            #expect(try error("empty").message.contains("left no result"))
            let rejected = daemon.state.appending("rejected").appending("bad")
            #expect(try names(rejected) == ["error.json", "job.json", "job.log", "original.png"])
            #expect(try text(rejected.appending("original.png")) == "bad")
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `stops its worker, which goes on where it was`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let worker = try FakeWorker.make(in: root)
            let daemon = try DaemonProcess(root, worker: worker)
            try await daemon.waitUntilReady()
            try drop("long", daemon.state.appending("inbox").appending("cat.png"))
            try await wait(for: "a checkpoint: \(daemon.log)") { Self.checkpoints(daemon) > 3 }
            let end = try await daemon.stop()
            #expect(end.status == 0 && end.duration < Soak.stopLimit)
            #expect(daemon.list("outbox") == [] && daemon.list("jobs").count == 1)
            #expect(try Self.jobFile(daemon, "job.log").contains("stopped"))
            #expect(try Self.jobFile(daemon, "daemon.json").contains("\"failures\" : 0"))

            let next = try DaemonProcess(root, worker: worker)
            try await wait(for: "the result: \(next.log)") { next.list("outbox") == ["cat"] }
            #expect(try await next.stop().status == 0)
        }
    }

    @Test(.tags(.slow)) func `kills a worker that does not listen, and loses nothing`() async throws {
        try await withDaemon { daemon in
            try drop("stubborn", daemon.state.appending("inbox").appending("cat.png"))
            try await wait(for: "a start") {
                !Self.jobs(daemon).isEmpty && (try? Self.jobFile(daemon, "job.log").contains("run of")) == true
            }
            let end = try await daemon.stop()
            #expect(end.status == 0 && end.duration < Soak.stopLimit)
            #expect(daemon.list("jobs").count == 1)
            #expect(try Self.jobFile(daemon, "daemon.json").contains("\"failures\" : 0"))
        }
    }

    @Test(.tags(.slow)) func `killed over and over with its workers living on, does everything once`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let worker = try FakeWorker.make(in: root)
            let names = ["one", "two", "three"]
            var random = SplitMix(state: 7)
            for round in 0..<8 {
                let daemon = try DaemonProcess(root, worker: worker, settings: "workers: 2")
                try await daemon.waitUntilReady()
                if round == 0 {
                    for name in names {
                        try drop("slow \(name)", daemon.state.appending("inbox").appending(name + ".png"))
                    }
                }
                try await Task.sleep(for: .milliseconds(Int.random(in: 20...500, using: &random)))
                try await daemon.killAtOnce()
            }
            let last = try DaemonProcess(root, worker: worker, settings: "workers: 2")
            try await last.waitUntilReady()
            try await wait(for: "three results: \(last.log)") {
                last.list("outbox").count == 3 && last.list("jobs").isEmpty
            }
            #expect(last.list("outbox") == names.sorted() && last.list("rejected") == [])
            for name in names {
                let result = last.state.appending("outbox").appending(name)
                #expect(try text(result.appending("restored.png")) == "slow \(name)")
            }
            #expect(!last.log.contains("postponed"), "\(last.log)")
            #expect(try await last.stop().status == 0)
        }
    }

    @Test(.tags(.slow)) func `stops well from the first moment on`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let worker = try FakeWorker.make(in: root)
            try StateFolder(root.appending("state")).create(LocalFileSystem())
            try drop("slow", root.appending("state").appending("inbox").appending("cat.png"))
            for milliseconds in stride(from: 150, to: 500, by: 50) {
                let daemon = try DaemonProcess(root, worker: worker)
                try await Task.sleep(for: .milliseconds(milliseconds))
                #expect(try await daemon.stop().status == 0)
            }
        }
    }

    @Test func `is the only one of its folder, and says so to a second`() async throws {
        try await withDaemon { daemon in
            let second = try Programs.run("dkpd", ["--state-dir", daemon.state.string])
            #expect(second.status == 1)
            let holder = try text(daemon.state.appending("dkpd.lock")).trimmingCharacters(in: .newlines)
            #expect(second.errors.contains("process \(holder)"), "\(second.errors)")
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `does not start with settings that it cannot use`() throws {
        try withTemporaryDirectory { path in
            let file = FilePath(path).appending("dkpd.yaml")
            try drop("wrokers: 2", file)
            let end = try Programs.run("dkpd", ["--config", file.string, "--state-dir", path + "/state"])
            #expect(end.status == 78)
            #expect(end.errors.contains("wrokers") && end.errors.contains(file.string), "\(end.errors)")
            let missing = try Programs.run("dkpd", ["--config", path + "/none.yaml"])
            #expect(missing.status == 78 && missing.errors.contains("none.yaml"))
            try drop("worker: /nowhere/dkp", file)
            let worker = try Programs.run("dkpd", ["--config", file.string, "--state-dir", path + "/state"])
            #expect(worker.status == 69 && worker.errors.contains("/nowhere/dkp"), "\(worker.errors)")
        }
    }

    @Test func `leaves alone what is no file, says why, and works on`() async throws {
        try await withDaemon { daemon in
            let inbox = daemon.state.appending("inbox")
            #expect(symlink("/etc/passwd", inbox.appending("link.png").string) == 0)
            #expect(mkfifo(inbox.appending("pipe.png").string, 0o600) == 0)
            #expect(mkdir(inbox.appending("folder.png").string, 0o700) == 0)
            try drop("x", inbox.appending("folder.png").appending("cat.png"))
            try drop("x", inbox.appending(".hidden.png"))
            try drop("x", inbox.appending("cat.png.part"))
            try drop("ok", inbox.appending("new\nline \"quoted\" 🐈.png"))
            try drop("ok", inbox.appending(String(repeating: "n", count: 251) + ".png"))
            try await wait(for: "two results: \(daemon.log)") { daemon.list("outbox").count == 2 }
            #expect(daemon.list("outbox") == ["new_line _quoted_ 🐈", String(repeating: "n", count: 200)].sorted())
            try await wait(for: "two scans") { daemon.log.contains("FIFO") }
            try await Task.sleep(for: .seconds(1))
            #expect(daemon.list("inbox") == [".hidden.png", "cat.png.part", "folder.png", "link.png", "pipe.png"])
            for (name, reason) in [("link", "symbolic link"), ("pipe", "FIFO"), ("folder", "without a dkp.yaml")] {
                let lines = daemon.log.split(separator: "\n").filter { $0.contains("name=\"\(name).png\"") }
                #expect(lines.count == 1 && lines[0].contains(reason), "\(lines)")
            }
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `makes a removed inbox anew`() async throws {
        try await withDaemon { daemon in
            let inbox = daemon.state.appending("inbox")
            #expect(rmdir(inbox.string) == 0)
            try await wait(for: "an inbox: \(daemon.log)") { FileManager.default.fileExists(atPath: inbox.string) }
            try drop("ok", inbox.appending("cat.png"))
            try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `tells the service manager that it is ready, that its loops turn, and how long it may take to stop`()
        async throws
    {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let socket = try NotifySocket(root.appending("notify").string)
            setenv("NOTIFY_SOCKET", socket.path, 1)
            setenv("WATCHDOG_USEC", "400000", 1)
            // No event and no job comes in that time: only the watchdog makes the loops turn.
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root), settings: "rescan_interval: 3600")
            unsetenv("NOTIFY_SOCKET")
            unsetenv("WATCHDOG_USEC")
            try await daemon.waitUntilReady()
            try await wait(for: "READY") { socket.receive().contains("READY=1") }
            try await wait(for: "five signs of life") {
                socket.receive().components(separatedBy: "WATCHDOG=1\n").count > 5
            }
            #expect(socket.receive().contains("STATUS=idle\n"))
            #expect(socket.receive().components(separatedBy: "STATUS=idle").count == 2, "said again without need")
            #expect(try await daemon.stop().status == 0)
            let stopping = try #require(socket.receive().components(separatedBy: "STOPPING=1\n").dropFirst().first)
            #expect(stopping.contains("EXTEND_TIMEOUT_USEC=10000000\n"))
            // The watchdog, set to less than that, waits as long: no loop answers it any more.
            #expect(stopping.contains("WATCHDOG_USEC=10000000\n"))
        }
    }

    /// Runs `body` with a daemon that is ready.
    private func withDaemon(_ body: (DaemonProcess) async throws -> Void) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await daemon.waitUntilReady()
            try await body(daemon)
        }
    }

    /// The jobs that are made.
    private static func jobs(_ daemon: DaemonProcess) -> [String] { daemon.list("jobs").filter { !$0.hasPrefix(".") } }

    private static func checkpoints(_ daemon: DaemonProcess) -> Int {
        guard let job = jobs(daemon).first else { return 0 }
        return daemon.list("jobs/\(job)").filter { $0.hasPrefix("checkpoint-") }.count
    }

    private static func jobFile(_ daemon: DaemonProcess, _ name: String) throws -> String {
        let job = try #require(jobs(daemon).first)
        return try text(daemon.state.appending("jobs").appending(job).appending(name))
    }
}

/// A small generator of known state, so that a failing storm can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// The socket on which a service manager listens.
final class NotifySocket {
    let path: String
    private let descriptor: CInt
    private var received = ""

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        try #require(descriptor >= 0 && bytes.count < MemoryLayout.size(ofValue: address.sun_path))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(status == 0)
    }

    deinit { close(descriptor) }

    /// What has been received since it was last taken.
    func takeAll() -> String {
        defer { received = "" }
        return receive()
    }

    /// All that has been received.
    func receive() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { return received }
            received += String(decoding: bytes[..<count], as: UTF8.self) + "\n"
        }
    }
}
