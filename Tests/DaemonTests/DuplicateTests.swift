import Daemon
import Files
import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing

@Suite struct `Duplicates` {
    let ids = ["20260804-153012-345", "20260804-153012-346", "20260804-153012-347"].compactMap { JobID($0) }

    @Test func `of a finished result are put into rejected with its name, if that is asked for`() throws {
        try withOutbox(.skip) { folder, claim in
            try publish(folder, claim, "cat.png", ids[0])
            try drop("image", folder.inbox.appending("copy of cat.png"))
            #expect(try claim.claim(component("copy of cat.png"), as: ids[1]))
            #expect(try JobPhase(of: folder.job(ids[1]), LocalFileSystem()) == .rejecting)
            let report = try text(folder.job(ids[1]).appending("rejection").appending("error.json"))
            #expect(report.contains("\"code\" : \"duplicate\"") && report.contains("outbox/cat"))

            // Other settings, or other bytes, are another question.
            try drop("seed: 3", folder.inbox.appending("cat.png.yaml"))
            try drop("image", folder.inbox.appending("cat.png"))
            #expect(try claim.claim(component("cat.png"), as: ids[2]))
            #expect(try JobPhase(of: folder.job(ids[2]), LocalFileSystem()) == .working)
        }
    }

    @Test func `of a result that was taken away are none`() throws {
        try withOutbox(.skip) { folder, claim in
            try publish(folder, claim, "cat.png", ids[0])
            try LocalFileSystem().removeTree(folder.outbox.appending("cat"))
            try drop("image", folder.inbox.appending("cat.png"))
            #expect(try claim.claim(component("cat.png"), as: ids[1]))
            #expect(try JobPhase(of: folder.job(ids[1]), LocalFileSystem()) == .working)
        }
    }

    @Test func `do not differ by what changes only how the work is run`() throws {
        try withOutbox(.skip) { folder, claim in
            try publish(folder, claim, "cat.png", ids[0])
            try drop("checkpoint_interval: 3\nthreads: 9\npriority: 4", folder.inbox.appending("dog.png.yaml"))
            try drop("image", folder.inbox.appending("dog.png"))
            #expect(try claim.claim(component("dog.png"), as: ids[1]))
            #expect(try JobPhase(of: folder.job(ids[1]), LocalFileSystem()) == .rejecting)
        }
    }

    @Test func `are restored again by default`() throws {
        try withOutbox(.process) { folder, claim in
            try publish(folder, claim, "cat.png", ids[0])
            try drop("image", folder.inbox.appending("cat.png"))
            #expect(try claim.claim(component("cat.png"), as: ids[1]))
            #expect(try JobPhase(of: folder.job(ids[1]), LocalFileSystem()) == .working)
        }
    }

    @Test(.tags(.slow), .timeLimit(.minutes(5)), arguments: ["process", "skip"])
    func `are told by a digest that is computed once for each image`(_ duplicates: String) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let recorder = try FileCalls(in: root)
            let daemon = try DaemonProcess(
                root, worker: FakeWorker.make(in: root), settings: "duplicates: \(duplicates)",
                launcher: recorder.launcher)
            try await daemon.waitUntilReady()
            let before = try recorder.bytesHashed()
            let size = 3 << 20
            try drop(
                Array("ok\n".utf8) + [UInt8](repeating: 0, count: size - 3), daemon.state.appending("inbox/cat.png"))
            try await wait(for: "the result: \(daemon.lastWords)") { daemon.list("outbox") == ["cat"] }
            #expect(try await daemon.stop().status == 0)
            // And a little for the descriptions of jobs.
            let hashed = try recorder.bytesHashed() - before
            #expect(size..<(size + 100_000) ~= hashed, "\(hashed)")
        }
    }

    private func withOutbox(
        _ duplicates: DaemonSettings.Duplicates, _ body: (StateFolder, Claim) throws -> Void
    ) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            try folder.create(LocalFileSystem())
            let claim = Claim(folder, files: LocalFileSystem()) {
                Claim.Terms(duplicates: duplicates)
            }
            try body(folder, claim)
        }
    }

    /// Claims an image and puts a result of it into the outbox, with the report's fields that matter and one that no
    /// version has yet.
    private func publish(_ folder: StateFolder, _ claim: Claim, _ name: String, _ id: JobID) throws {
        try drop("image", folder.inbox.appending(name))
        #expect(try claim.claim(component(name), as: id))
        let record = try JobDirectory.open(folder.job(id).string).record
        let settings = String(decoding: try JSONEncoder().encode(record.settings), as: UTF8.self)
        let result = folder.job(id).appending("result")
        try LocalFileSystem().makeDirectory(result)
        try drop(
            "{\"input_sha256\": \"\(record.inputSHA256)\", \"settings\": \(settings), \"mood\": \"good\"}",
            result.appending("report.json"))
        _ = try Publication(folder, files: LocalFileSystem()).publish(id, name: name)
    }
}
