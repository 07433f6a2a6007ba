import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The daemon as an unprivileged user, and files of others in its inbox, as the shipped service has it.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(20)), .enabled(if: OtherUsers.canBeHad, "takes root"))
struct `Files of other users` {
    @Test(arguments: ["", "holiday"]) func `are not taken while their writer takes a pause`(subfolder: String)
        async throws
    {
        try await withDaemon { daemon in
            var place = daemon.state.appending("inbox")
            if !subfolder.isEmpty {
                place = place.appending(subfolder)
                try LocalFileSystem().makeDirectory(place)
                #expect(chmod(place.string, 0o777) == 0)
                try drop("scale: 2", place.appending("dkp.yaml"))
                // What is begun before the daemon has heard of the folder is not seen to be.
                try await Task.sleep(for: .seconds(2))
            }
            let path = place.appending("cat.png")
            let writer = try FileDescriptor.open(
                path, .writeOnly, options: .create, permissions: FilePermissions(rawValue: 0o666))
            _ = try writer.writeAll("ok first".utf8)
            // Several rescans and settle times.
            try await Task.sleep(for: .seconds(4))
            #expect(daemon.list("outbox") == [] && daemon.list("jobs") == [], "\(daemon.log)")
            _ = try writer.writeAll(" second".utf8)
            try writer.close()
            let name = subfolder.isEmpty ? "cat" : "holiday-cat"
            try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox") == [name] }
            let result = daemon.state.appending("outbox").appending(name).appending("restored.png")
            #expect(try text(result) == "ok first second")
        }
    }

    @Test func `whose writer was killed are taken as they are`() async throws {
        try await withDaemon { daemon in
            let path = daemon.state.appending("inbox").appending("cat.png")
            let writer = Process()
            writer.executableURL = URL(fileURLWithPath: "/bin/bash")
            writer.arguments = ["-c", "exec 5> \"$0\"; echo ok >&5; exec sleep 100", path.string]
            try writer.run()
            try await Task.sleep(for: .seconds(3))
            #expect(daemon.list("outbox") == [], "\(daemon.log)")
            kill(writer.processIdentifier, SIGKILL)
            try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
        }
    }

    @Test func `in a folder that is closed to the daemon are told of once, with what to do`() async throws {
        try await withDaemon { daemon in
            let place = daemon.state.appending("inbox").appending("holiday")
            try LocalFileSystem().makeDirectory(place)
            #expect(chmod(place.string, 0o755) == 0)
            try drop("scale: 2", place.appending("dkp.yaml"))
            for name in ["a.png", "b.png", "c.png"] { try drop("ok", place.appending(name)) }
            try await wait(for: "the reason: \(daemon.log)") { daemon.log.contains("chmod g+w") }
            try await Task.sleep(for: .seconds(3))
            let lines = daemon.log.split(separator: "\n").filter { $0.contains("warning") }
            #expect(lines.count == 1 && lines[0].contains("\(place)"), "\(lines)")
            #expect(chmod(place.string, 0o777) == 0)
            try await wait(for: "the results: \(daemon.log)") { daemon.list("outbox").count == 3 }
        }
    }

    @Test func `that cannot be taken are told of once`() async throws {
        try await withDaemon { daemon in
            // Sticky: only the owner may rename.
            let place = daemon.state.appending("inbox").appending("holiday")
            try LocalFileSystem().makeDirectory(place)
            #expect(chmod(place.string, 0o1777) == 0)
            try drop("scale: 2", place.appending("dkp.yaml"))
            try drop("ok", place.appending("a.png"))
            try await wait(for: "the reason: \(daemon.log)") { daemon.log.contains("cannot be claimed") }
            try await Task.sleep(for: .seconds(3))
            #expect(daemon.log.split(separator: "\n").filter { $0.contains("warning") }.count == 1, "\(daemon.log)")
        }
    }

    private func withDaemon(_ body: (DaemonProcess) async throws -> Void) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let state = root.appending("state")
            try LocalFileSystem().makeDirectory(state)
            for (path, mode) in [(root, 0o755), (state, 0o755)] as [(FilePath, mode_t)] {
                #expect(chmod(path.string, mode) == 0)
            }
            #expect(chown(state.string, OtherUsers.user, OtherUsers.user) == 0)
            let daemon = try DaemonProcess(
                root, worker: FakeWorker.make(in: root), launcher: OtherUsers.launcher)
            try await daemon.waitUntilReady()
            try await body(daemon)
            #expect(try await daemon.stop().status == 0)
        }
    }
}

/// Starting programs as another user.
enum OtherUsers {
    static let user: uid_t = 65_534
    static let launcher = ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"]

    /// Whether a program of this build can be started as the other user.
    static var canBeHad: Bool {
        guard getuid() == 0, let program = try? Programs.path("dkpd") else { return false }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = launcher + [program, "--help"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}

/// What the system's limits on watching leave.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(20))) struct `Without inotify` {
    private static let launcher = [
        "unshare", "--user", "--map-root-user", "bash", "-c",
        "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"", "bash",
    ]

    private static var canBeHad: Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = launcher + ["true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test(.enabled(if: canBeHad, "takes user namespaces")) func `the daemon lives on listings and says so once`()
        async throws
    {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root), launcher: Self.launcher)
            try await daemon.waitUntilReady()
            for name in ["a.png", "b.png"] {
                try drop("ok", daemon.state.appending("inbox").appending(name))
                try await wait(for: "a result: \(daemon.log)") {
                    daemon.list("outbox").contains(String(name.prefix(1)))
                }
            }
            let lines = daemon.log.split(separator: "\n").filter { $0.contains("the inbox is not watched") }
            #expect(lines.count == 1 && lines[0].contains("fs.inotify.max_user_instances"), "\(daemon.log)")
            #expect(!daemon.log.contains("make room"))
            #expect(try await daemon.stop().status == 0)
        }
    }
}
