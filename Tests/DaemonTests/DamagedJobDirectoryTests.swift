import Daemon
import Files
import Foundation
import Jobs
import Restoration
import SystemPackage
import TestSupport
import Testing

/// Job directories with one file damaged each, as many as there are files and ways, all at once in front of a real
/// daemon with the real worker.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(60))) struct `The daemon with damaged job directories` {
    private static let settings = """
        attempts: 2
        restoration: {method: dip-dkp, steps: 10, scale: 2, precision: f32, threads: 1, checkpoint_interval: 0.1}
        """

    private enum Damage {
        case none, missing
        case truncated(quarters: Int)
        /// One bit of the byte that lies so far from the start, in 64ths of the file.
        case flipped(sixtyFourths: Int)

        static let all: [Damage] =
            [.missing] + (0..<4).map { .truncated(quarters: $0) }
            + stride(from: 8, to: 64, by: Soak.isFull ? 2 : 24).map { .flipped(sixtyFourths: $0) }

        var isFlip: Bool { if case .flipped = self { true } else { false } }

        func apply(to path: FilePath) throws {
            var bytes = try LocalFileSystem().read(path, limit: 1 << 24)
            switch self {
            case .none: return
            case .missing: return try LocalFileSystem().removeFile(path)
            case .truncated(let quarters): bytes = Array(bytes[..<(bytes.count * quarters / 4)])
            case .flipped(let place):
                if !bytes.isEmpty { bytes[bytes.count * place / 64] ^= 0x10 }
            }
            try Data(bytes).write(to: URL(fileURLWithPath: path.string))
        }
    }

    @Test func `ends every job in the result that it should have, or rejects it with the reason`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let model = try await makeStoppedJob(root)
            let folder = StateFolder(root.appending("state"))
            let files = try names(model).filter { name in
                (try? LocalFileSystem().status(model.appending(name)))??.kind == .regular
            }
            #expect(files.contains("job.json") && files.count { $0.hasPrefix("checkpoint-") } == 2, "\(files)")

            var cases: [JobID: String] = [:]
            func place(_ damage: Damage, _ file: String) throws {
                let digits = String(1000 + cases.count)
                let id = try #require(JobID("20270101-000000-\(digits.suffix(3))"))
                cases[id] = "\(file) \(damage)"
                try FileManager.default.copyItem(atPath: model.string, toPath: folder.job(id).string)
                if !file.isEmpty { try damage.apply(to: folder.job(id).appending(file)) }
            }
            try place(.none, "")
            for file in files { for damage in Damage.all { try place(damage, file) } }
            // An empty directory, a leftover, and what is none of ours.
            let empty = try #require(JobID("20270102-000000-000"))
            try LocalFileSystem().makeDirectory(folder.job(empty))
            try LocalFileSystem().makeDirectory(folder.jobs.appending(".new-20270102-000000-001"))
            try LocalFileSystem().makeDirectory(folder.jobs.appending("strange"))
            try LocalFileSystem().removeTree(model)

            let daemon = try DaemonProcess(root, worker: nil, settings: Self.settings)
            try await wait(for: "the end of all jobs: \(daemon.log)", limit: .seconds(3000)) {
                daemon.list("jobs") == ["strange"]
            }
            #expect(try await daemon.stop().status == 0)

            var expected: [UInt8]?
            var (done, rejected, differing) = (0, 0, 0)
            for name in daemon.list("outbox") {
                let result = folder.outbox.appending(name).appending("result.h5")
                let bytes = try LocalFileSystem().read(result, limit: 1 << 24)
                if expected == nil { expected = bytes }
                #expect(bytes == expected, "\(name)")
                if bytes != expected { differing += 1 }
                done += 1
            }
            for name in daemon.list("rejected") {
                let report = try #require(
                    RejectionReport.read(from: folder.rejected.appending(name), LocalFileSystem()))
                let what = cases[try #require(JobID(report.job))] ?? "?"
                #expect(what.hasPrefix("input.png") || what.hasPrefix("job.json"), "\(what): \(report.message)")
                #expect(
                    report.message.contains("input.png") || report.message.contains("job.json"), "\(report.message)")
                rejected += 1
            }
            // A job without its input counts as published, as it would be after a crash in that moment.
            let flips = files.count * Damage.all.count { $0.isFlip }
            Soak.report(
                "damage",
                [
                    "bytes flipped": flips, "files truncated or missing": files.count * Damage.all.count - flips,
                    "jobs": cases.count - 1, "lost": max(0, cases.count - 1 - done - rejected),
                    "twice": max(0, done + rejected - cases.count + 1), "rejected for good": rejected,
                    "results differing": differing,
                ])
            #expect(done + rejected == cases.count - 1, "\(done) done, \(rejected) rejected of \(cases.count)")
            #expect(rejected >= 8 && done >= 6 * Damage.all.count)
            #expect(daemon.log.contains("strange: not a job of this daemon"))
        }
    }

    /// A job that a daemon has begun and stopped, with two checkpoints.
    private func makeStoppedJob(_ root: FilePath) async throws -> FilePath {
        let image = root.appending("cat.png")
        #expect(try Programs.run("dkp", ["sample-scene", image.string, "--size", "24x20"]).status == 0)
        let folder = StateFolder(root.appending("state"))
        try folder.create(LocalFileSystem())
        let id = try #require(JobID("20260101-000000-001"))
        try LocalFileSystem().rename(image, to: folder.inbox.appending("cat.png"))
        try drop(
            "method: dip-dkp\nsteps: 10\nscale: 2\nprecision: f32\nthreads: 1\ncheckpoint_interval: 0.1\n",
            folder.inbox.appending("cat.png.yaml"))
        #expect(try Protocols(folder, MortalFileSystem(changes: .max)).claim.claim(component("cat.png"), as: id))
        try JobLedger(name: "cat.png", claimed: Date()).write(to: folder.job(id), LocalFileSystem())
        // Stopped twice, in the midst: two checkpoints.
        let job = try JobDirectory.open(folder.job(id).string)
        for step in [4, 7] { #expect(try await Self.work(on: job, until: step) == .interrupted(step: step)) }
        return folder.job(id)
    }

    /// Works until a step is done, on a thread that may be kept busy.
    private static func work(on job: JobDirectory, until step: Int) async throws -> Worker.Outcome {
        try await withCheckedThrowingContinuation { continuation in
            Thread {
                let stop = StopRequest()
                let observe = { (event: Worker.Event) in
                    if case .progress(let progress) = event, progress.step >= step { stop.request() }
                }
                let worker = Worker(job, stop: stop, observe: observe)
                continuation.resume(with: Result { try worker.run() })
            }.start()
        }
    }
}
