import Checkpointing
import Daemon
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The daemon with the real worker.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct `The daemon with the real worker` {
    static let settings = """
        restoration:
          steps: 40
          scale: 2
          precision: f32
          threads: 1
          checkpoint_interval: 0.2
        """

    @Test func `killed with its worker in the middle, restores three images once each`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let names = ["one", "three", "two"]
            var daemon = try DaemonProcess(root, worker: nil, settings: Self.settings)
            try await daemon.waitUntilReady()
            for name in names { try Self.paint(root, name, into: daemon.state) }
            try await wait(for: "a checkpoint: \(daemon.log)") { Self.checkpoint(daemon) != nil }
            let worker = try Self.worker(daemon)
            try await daemon.killAtOnce()
            kill(worker, SIGKILL)

            // A second time the worker lives on as an orphan.
            daemon = try DaemonProcess(root, worker: nil, settings: Self.settings)
            let before = Self.checkpoint(daemon)
            try await wait(for: "another checkpoint: \(daemon.log)") {
                Self.checkpoint(daemon) != before || daemon.list("outbox").count > 0
            }
            try await daemon.killAtOnce()

            daemon = try DaemonProcess(root, worker: nil, settings: Self.settings)
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
                try Self.expectUndisturbed(result, name, root)
            }
            // The killed worker's job went on from its checkpoint. The orphan may have ended its job before it was found.
            #expect(logs.contains("resumed at step"), "\(logs)")
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `rejects what is no image or too large, with the reason, and works on`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: nil, settings: Self.settings)
            try await daemon.waitUntilReady()
            let inbox = daemon.state.appending("inbox")
            try Self.paint(root, "good", into: daemon.state)
            let whole = try LocalFileSystem().read(root.appending("good.png"), limit: 1 << 20)
            try Self.move(Array(whole[..<(whole.count / 2)]), "truncated.png", root, inbox)
            var huge = whole
            huge.replaceSubrange(16..<24, with: [0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0])
            try Self.move(huge, "huge.png", root, inbox)
            try Self.move(Array("only words".utf8), "text.png", root, inbox)
            try Self.move([], "empty.png", root, inbox)
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

    /// The result is what `dkp restore` makes of the same input, with the same settings, in one go.
    private static func expectUndisturbed(_ result: FilePath, _ name: String, _ root: FilePath) throws {
        let whole = root.appending(name + "-in-one-go")
        let end = try Programs.run(
            "dkp",
            [
                "restore", root.appending(name + ".png").string, "--output", whole.string, "--steps", "40", "--scale",
                "2", "--precision", "f32", "--threads", "1",
            ])
        try #require(end.status == 0, "\(end.errors)")
        let images = try [result, whole].map {
            try LocalFileSystem().read($0.appending("restored.png"), limit: 1 << 20)
        }
        #expect(images[0] == images[1], "\(name): restored.png differs")
        let datasets = try [result, whole].map {
            try SnapshotFile.read(from: $0.appending("result.h5").string, format: "dkp-result").datasets
        }
        #expect(datasets[0].keys.sorted() == datasets[1].keys.sorted() && datasets[0].count > 3)
        for (path, dataset) in datasets[0] { #expect(datasets[1][path] == dataset, "\(name): \(path) differs") }
    }

    /// Paints a small picture and moves it into the inbox; a copy stays in `root`.
    private static func paint(_ root: FilePath, _ name: String, into state: FilePath) throws {
        let path = root.appending(name + ".png")
        let end = try Programs.run("dkp", ["sample-scene", path.string, "--size", "32x32", "--seed", "\(name.count)"])
        #expect(end.status == 0, "\(end.errors)")
        let bytes = try LocalFileSystem().read(path, limit: 1 << 20)
        try move(bytes, name + ".png", root, state.appending("inbox"))
    }

    private static func move(_ bytes: [UInt8], _ name: String, _ root: FilePath, _ inbox: FilePath) throws {
        let temporary = root.appending("moving")
        try LocalFileSystem().write(bytes, to: temporary)
        try LocalFileSystem().rename(temporary, to: inbox.appending(name))
    }

    /// The newest checkpoint of any job.
    private static func checkpoint(_ daemon: DaemonProcess) -> String? {
        daemon.list("jobs").flatMap { job in
            daemon.list("jobs/\(job)").filter { $0.hasPrefix("checkpoint-") && $0.hasSuffix(".h5") }.map {
                "\(job)/\($0)"
            }
        }.max()
    }

    /// The process at work on a job.
    private static func worker(_ daemon: DaemonProcess) throws -> pid_t {
        struct Progress: Decodable { var pid: pid_t }
        let job = try #require(daemon.list("jobs").first { daemon.list("jobs/\($0)").contains("progress.json") })
        let path = daemon.state.appending("jobs").appending(job).appending("progress.json")
        return try JSONDecoder().decode(Progress.self, from: Data(text(path).utf8)).pid
    }
}
