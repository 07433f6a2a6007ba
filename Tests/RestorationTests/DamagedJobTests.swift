import Checkpointing
import Failures
import Files
import Foundation
import Jobs
import Restoration
import TestSupport
import Testing

/// Damage done to one file of a job.
struct Damage: Sendable, CustomTestStringConvertible {
    enum Kind: Sendable {
        case missing
        /// Cut to that many quarters.
        case truncated(Int)
        /// A bit flipped that many eighths from the start.
        case flipped(Int)
    }

    var file: String
    var kind: Kind

    var testDescription: String { "\(file) \(kind)" }

    static let kinds: [Kind] =
        [.missing] + (0..<4).map(Kind.truncated) + (0..<8).map(Kind.flipped)

    func apply(in directory: String) throws {
        let path = "\(directory)/\(file)"
        var content = try bytes(path)
        switch kind {
        case .missing:
            try FileManager.default.removeItem(atPath: path)
            return
        case .truncated(let quarters): content = Array(content[..<(content.count * quarters / 4)])
        case .flipped(let eighths):
            guard !content.isEmpty else { return }
            content[content.count * eighths / 8] ^= 0x10
        }
        try Data(content).write(to: URL(fileURLWithPath: path))
    }
}

@Suite struct `A damaged job` {
    /// The files of a job that was stopped twice, so that there are two checkpoints.
    static let files = [
        "input.png", "job.json", "job.log", "lock", "progress.json", "runs.json", "checkpoint-0000000005.h5",
        "checkpoint-0000000009.h5",
    ]

    static let damages = files.flatMap { file in Damage.kinds.map { Damage(file: file, kind: $0) } }

    private func stop(_ job: JobDirectory, after steps: Int) throws {
        let stop = StopRequest()
        var left = steps
        _ = try toyWorker(job, stop: stop) { _ in
            left -= 1
            if left == 0 { stop.request() }
        }.run()
    }

    /// A job directory as it is on disk, with the result that it should have.
    private func withStoppedJob(_ body: (JobDirectory, _ expected: [UInt8]) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let whole = try makeJob(in: directory, name: "whole")
            #expect(try toyWorker(whole).run() == .finished)
            let job = try makeJob(in: directory)
            try stop(job, after: 5)
            try stop(job, after: 4)
            let names = try FileManager.default.contentsOfDirectory(atPath: job.path)
            #expect(names.filter { !$0.hasPrefix("lease-") }.sorted() == Self.files.sorted())
            try body(job, bytes("\(whole.resultPath)/result.h5"))
        }
    }

    @Test(arguments: damages)
    func `ends in the same result, or is refused with the reason`(_ damage: Damage) throws {
        try withStoppedJob { job, expected in
            try damage.apply(in: job.path)
            do {
                let opened = try JobDirectory.open(job.path)
                #expect(try toyWorker(opened).run() == .finished)
                #expect(try bytes("\(opened.resultPath)/result.h5") == expected)
            } catch {
                let failure = FailureReport(error)
                #expect(["input.png", "job.json"].contains(damage.file), "\(failure)")
                #expect([.badInput, .noInput, .badSettings].contains(failure.exitStatus), "\(failure)")
                #expect(failure.message.contains(damage.file), "\(failure)")
            }
        }
    }

    @Test func `with another seed written into its record is refused`() throws {
        try withStoppedJob { job, _ in
            let altered = try text(job.recordPath).replacing("\"seed\" : 5", with: "\"seed\" : 4")
            try Data(altered.utf8).write(to: URL(fileURLWithPath: job.recordPath))
            let error = try #require(throws: RestorationError.self) { try JobDirectory.open(job.path) }
            #expect(error.code == .badInput && error.message.contains("checksum"))
        }
    }

    @Test func `record without a checksum, as earlier versions wrote it, is taken as it is`() throws {
        try withStoppedJob { job, expected in
            let lines = try text(job.recordPath).split(separator: "\n").filter { !$0.contains("\"checksum\"") }
            try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: job.recordPath))
            #expect(try toyWorker(JobDirectory.open(job.path)).run() == .finished)
            #expect(try bytes("\(job.resultPath)/result.h5") == expected)
        }
    }

    @Test func `with checkpoints of no format version begins again, and says so`() throws {
        try withStoppedJob { job, expected in
            for generation in try CheckpointStore(directory: job.path).generations() {
                let snapshot = try SnapshotFile.read(from: generation.path)
                try SnapshotFile.write(snapshot, to: generation.path, version: 0)
            }
            #expect(try toyWorker(job).run() == .finished)
            #expect(try text(job.logPath).contains("starting again from the input"))
            #expect(try bytes("\(job.resultPath)/result.h5") == expected)
        }
    }

    @Test func `with leftovers of killed writers goes on as if they were not there`() throws {
        try withStoppedJob { job, expected in
            for name in [
                ".checkpoint-0000000011.h5.1-2.dkp-tmp", ".job.json.77.tmp", ".progress.json.77.tmp",
                "lease-3/.result.tmp",
            ] {
                let path = "\(job.path)/\(name)"
                try FileManager.default.createDirectory(
                    atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
                try Data("half".utf8).write(to: URL(fileURLWithPath: path))
            }
            try FileManager.default.createDirectory(
                atPath: "\(job.path)/.result.tmp/x", withIntermediateDirectories: true)
            #expect(try toyWorker(job).run() == .finished)
            #expect(try bytes("\(job.resultPath)/result.h5") == expected)
        }
    }
}
