import Checkpointing
import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The daemon with the real worker.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct `The daemon with the real worker` {
    @Test func `killed with its worker in the middle, restores three images once each`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let names = ["one", "three", "two"]
            var daemon = try DaemonProcess(root, worker: nil, settings: RealWork.settings)
            try await daemon.waitUntilReady()
            for name in names { try RealWork.paint(root, name, into: daemon.state) }
            var workers: [pid_t] = []
            try await wait(for: "a worker with a checkpoint: \(daemon.log)") {
                workers = RealWork.workers(daemon)
                return !workers.isEmpty && RealWork.checkpoint(daemon) != nil
            }
            try await daemon.killAtOnce()
            for worker in workers { kill(worker, SIGKILL) }

            // A second time the worker lives on as an orphan.
            daemon = try DaemonProcess(root, worker: nil, settings: RealWork.settings)
            let before = RealWork.checkpoint(daemon)
            try await wait(for: "another checkpoint: \(daemon.log)") {
                RealWork.checkpoint(daemon) != before || daemon.list("outbox").count > 0
            }
            try await daemon.killAtOnce()

            daemon = try DaemonProcess(root, worker: nil, settings: RealWork.settings)
            try await wait(for: "three results: \(daemon.log)") { daemon.list("outbox").count == 3 }
            try await wait(for: "the last job's removal") { daemon.list("jobs").isEmpty }
            #expect(daemon.list("outbox") == names && daemon.list("rejected") == [], "\(daemon.log)")
            var logs = ""
            for name in names {
                let result = daemon.state.appending("outbox").appending(name)
                for file in [
                    "restored.png", "kernel.png", "figure.png", "report.json", "result.h5", "input.png", "job.log",
                ] {
                    let size = try #require(try LocalFileSystem().status(result.appending(file))?.size)
                    #expect(size > 0, "\(name)/\(file)")
                }
                logs += try text(result.appending("job.log"))
                #expect(
                    try LocalFileSystem().read(result.appending("input.png"), limit: 1 << 20)
                        == LocalFileSystem().read(root.appending(name + ".png"), limit: 1 << 20))
                #expect(try RealWork.differences(result, name, root) == [])
            }
            // The killed worker's job went on from its checkpoint. The orphan may have ended its job before it was found.
            #expect(logs.contains("resumed at step"), "\(logs)")
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `rejects what is no image or too large, with the reason, and works on`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: nil, settings: RealWork.settings)
            try await daemon.waitUntilReady()
            let inbox = daemon.state.appending("inbox")
            try RealWork.paint(root, "good", into: daemon.state)
            let whole = try LocalFileSystem().read(root.appending("good.png"), limit: 1 << 20)
            try RealWork.move(Array(whole[..<(whole.count / 2)]), "truncated.png", root, inbox)
            var huge = whole
            huge.replaceSubrange(16..<24, with: [0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0])
            try RealWork.move(huge, "huge.png", root, inbox)
            try RealWork.move(Array("only words".utf8), "text.png", root, inbox)
            try RealWork.move([], "empty.png", root, inbox)
            try await wait(for: "five ends: \(daemon.log)", limit: .seconds(300)) {
                daemon.list("outbox").count + daemon.list("rejected").count == 5
            }
            #expect(daemon.list("outbox") == ["good"])
            #expect(daemon.list("rejected") == ["empty", "huge", "text", "truncated"])
            for name in daemon.list("rejected") {
                let error = try text(daemon.state.appending("rejected").appending(name).appending("error.json"))
                #expect(error.contains("\"attempts\" : ["), "\(error)")
                #expect(!error.contains("\"outcome\""), "tried again: \(error)")
                #expect(error.contains(name == "huge" ? "100000 x 100000" : "png"), "\(name): \(error)")
            }
            #expect(try await daemon.stop().status == 0)
        }
    }
}
