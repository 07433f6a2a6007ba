import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// What an operator changes while the daemon runs, and where settings come from, with real processes.
@Suite(.serialized, .timeLimit(.minutes(3))) struct `The running daemon` {
    @Test func `takes changed settings for images dropped from then on, and keeps the old where new ones are wrong`()
        async throws
    {
        try await withDaemon { daemon in
            let file = daemon.root.appending("dkpd.yaml")
            let original = try text(file)
            let inbox = daemon.state.appending("inbox")
            try drop("ok and more", inbox.appending("one.png"))
            try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox") == ["one"] }

            try drop(original + "\nlimits: {bytes: 5}\n", file)
            try await wait(for: "the change: \(daemon.log)") { daemon.log.contains("settings read again") }
            try drop("ok and more", inbox.appending("two.png"))
            try await wait(for: "a rejection: \(daemon.log)") { daemon.list("rejected") == ["two"] }

            try drop(original + "\nlimits: {bytes: many}\n", file)
            try await wait(for: "the mistake: \(daemon.log)") { daemon.log.contains("the old ones stay") }
            #expect(daemon.log.contains("limits: bytes is \\\"many\\\"") || daemon.log.contains("bytes is \"many\""))
            try drop("ok and more", inbox.appending("three.png"))
            try await wait(for: "a rejection: \(daemon.log)") { daemon.list("rejected") == ["three", "two"] }

            // Replaced by another file, as editors do.
            try drop(original + "\nstate_dir: /elsewhere\nattempts: 7\n", daemon.root.appending("new.yaml"))
            #expect(rename(daemon.root.appending("new.yaml").string, file.string) == 0)
            try drop("ok and more", inbox.appending("four.png"))
            try await wait(for: "a result: \(daemon.log)") {
                daemon.list("outbox").contains("four") || daemon.list("rejected").contains("four")
            }
            try await wait(for: "the news: \(daemon.log)") {
                daemon.log.components(separatedBy: "settings read again").count > 2
            }
            try drop("ok and more", inbox.appending("five.png"))
            try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox").contains("five") }

            daemon.hangUp()
            try await wait(for: "an answer: \(daemon.log)") { daemon.log.contains("nothing has changed") }
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `takes sub-folders that come and go`() async throws {
        try await withDaemon { daemon in
            let folder = daemon.state.appending("inbox").appending("holiday")
            for round in 1...2 {
                try LocalFileSystem().makeDirectory(folder)
                try drop("ok", folder.appending("cat.png"))
                try await wait(for: "its reason: \(daemon.log)") {
                    daemon.log.components(separatedBy: "without a dkp.yaml").count > round
                }
                try drop("scale: 2", folder.appending("dkp.yaml"))
                try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox").count == 2 * round - 1 }
                try drop("ok", folder.appending("dog.png"))
                try await wait(for: "a result: \(daemon.log)") { daemon.list("outbox").count == 2 * round }
                try LocalFileSystem().removeTree(folder)
                try await Task.sleep(for: .milliseconds(600))
            }
            #expect(daemon.list("outbox") == ["holiday-cat", "holiday-cat-2", "holiday-dog", "holiday-dog-2"])
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `works on higher priorities first`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let inbox = StateFolder(root.appending("state")).inbox
            try StateFolder(root.appending("state")).create(LocalFileSystem())
            try drop("slow", inbox.appending("first.png"))
            for (name, priority) in [("low", -5), ("none", 0), ("high", 5)] {
                if priority != 0 { try drop("priority: \(priority)", inbox.appending("\(name).png.yaml")) }
                try drop("ok", inbox.appending("\(name).png"))
            }
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await wait(for: "all results: \(daemon.log)") { daemon.list("outbox").count == 4 }
            let starts = daemon.log.split(separator: "\n").filter { $0.contains("worker starts") }
            let order = starts.compactMap { $0.split(separator: "name=\"").last?.prefix { $0 != "." } }
            // The first may have begun before the others were there.
            #expect(order.filter { $0 != "first" } == ["high", "none", "low"], "\(daemon.log)")
            #expect(order.last == "low")
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `rejects an image with settings that cannot be used while another is being restored`() async throws {
        try await withDaemon { daemon in
            let inbox = daemon.state.appending("inbox")
            try drop("endless", inbox.appending("first.png"))
            try await wait(for: "a worker: \(daemon.log)") { daemon.log.contains("worker starts") }
            try drop("scael: 2", inbox.appending("cat.png.yaml"))
            try drop("ok", inbox.appending("cat.png"))
            try await wait(for: "a rejection: \(daemon.log)") { daemon.list("rejected") == ["cat"] }
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `does not start in an environment with settings that it cannot use`() throws {
        for (variable, word) in [("DKP_WROKERS=2", "DKP_WORKERS"), ("DKP_WORKERS=0", "from 1 to 256")] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [variable, try Programs.path("dkpd"), "--state-dir", "/nowhere/at/all"]
            let errors = Pipe()
            process.standardError = errors
            try process.run()
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 78 && text.contains(word), "\(text)")
        }
    }

    private func withDaemon(_ body: (DaemonProcess) async throws -> Void) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await daemon.waitUntilReady()
            try await body(daemon)
        }
    }
}
