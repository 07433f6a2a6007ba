import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Files that arrive in every way that files arrive.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(60))) struct `Files dropped in any way` {
    @Test func `in great numbers at once are each done once`() async throws {
        let count = Soak.count(200, full: 10_000)
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root), settings: "workers: 2")
            try await daemon.waitUntilReady()
            try Self.dropMany(count, into: daemon.state)
            try await Self.expectEachOnce(daemon, count, "dropped at once")
        }
    }

    @Test func `while the daemon is down are each done once`() async throws {
        let count = Soak.count(100, full: 1000)
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let state = root.appending("state")
            try StateFolder(state).create(LocalFileSystem())
            try Self.dropMany(count, into: state)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root), settings: "workers: 2")
            try await Self.expectEachOnce(daemon, count, "dropped while down")
        }
    }

    @Test func `under one name ten times make ten results`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await daemon.waitUntilReady()
            for round in 1...10 {
                try drop("ok", daemon.state.appending("inbox").appending("cat.png"))
                try await wait(for: "result \(round): \(daemon.log)") { daemon.list("outbox").count == round }
            }
            #expect(Set(daemon.list("outbox")) == Set(["cat"] + (2...10).map { "cat-\($0)" }))
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `slowly, by a writer that takes its time, are taken whole`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await daemon.waitUntilReady()
            let blocks = Soak.count(4, full: 20)
            let target = daemon.state.appending("inbox").appending("slow.png")
            let writer = Process()
            writer.executableURL = URL(fileURLWithPath: "/bin/bash")
            writer.arguments = [
                "-c",
                "{ echo ok; for ((i = 0; i < \(blocks); i++)); do sleep 1; printf '%01000d' 0; done; } | dd of=\"$0\" "
                    + "bs=500 status=none", target.string,
            ]
            try writer.run()
            writer.waitUntilExit()
            #expect(writer.terminationStatus == 0)
            try await wait(for: "the result: \(daemon.log)") { daemon.list("outbox") == ["slow"] }
            let input = daemon.state.appending("outbox").appending("slow").appending("restored.png")
            #expect(try LocalFileSystem().status(input)?.size == Int64(3 + 1000 * blocks))
            #expect(daemon.list("rejected") == [])
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `by rsync and by a browser are taken under their final names only`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await daemon.waitUntilReady()
            let inbox = daemon.state.appending("inbox")
            for name in [".cat.png.Xk3v9Q", "dog.png.part", "cow.png.crdownload", "hen.png.tmp", "pig.png~"] {
                try drop("ok", inbox.appending(name))
            }
            try LocalFileSystem().rename(inbox.appending(".cat.png.Xk3v9Q"), to: inbox.appending("cat.png"))
            try LocalFileSystem().rename(inbox.appending("dog.png.part"), to: inbox.appending("dog.png"))
            try await wait(for: "two results: \(daemon.log)") { daemon.list("outbox") == ["cat", "dog"] }
            #expect(daemon.list("inbox") == ["cow.png.crdownload", "hen.png.tmp", "pig.png~"])
            #expect(try await daemon.stop().status == 0)
        }
    }

    private static func dropMany(_ count: Int, into state: FilePath) throws {
        for index in 0..<count { try drop("ok", state.appending("inbox").appending("image\(index).png")) }
    }

    private static func expectEachOnce(_ daemon: DaemonProcess, _ count: Int, _ what: String) async throws {
        try await wait(for: "\(count) results: \(daemon.log.suffix(2000))", limit: .seconds(3000)) {
            daemon.list("outbox").count + daemon.list("rejected").count >= count && daemon.list("jobs").isEmpty
        }
        let expected = Set((0..<count).map { "image\($0)" })
        let found = Set(daemon.list("outbox"))
        #expect(found == expected && daemon.list("rejected") == [] && daemon.list("inbox") == [])
        Soak.report(
            what,
            [
                "files \(what)": count, "jobs lost": expected.subtracting(found).count,
                "jobs twice": found.subtracting(expected).count,
            ])
        #expect(try await daemon.stop().status == 0)
    }
}
