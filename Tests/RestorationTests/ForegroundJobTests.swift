import Failures
import Foundation
import Imaging
import Jobs
import Restoration
import TestSupport
import Testing

@Suite struct `A job in the foreground` {
    struct Killed: Error {}

    private static let names = [
        "restored.png", "kernel.png", "figure.png", "result.h5", "input.png", "job.log", "report.json",
    ]

    /// The input's path, in a directory.
    private func makeInput(_ directory: String, _ name: String = "x.png", image: Image = picture()) throws -> String {
        try image.writePNG(to: "\(directory)/\(name)")
        return "\(directory)/\(name)"
    }

    /// Works and publishes, stopping before the change of that number.
    private func restore(
        _ input: String, to output: String, seed: UInt64, force: Bool = false, restart: Bool = false,
        killedBefore change: Int = .max
    ) throws -> Report {
        let job = try ForegroundJob(
            input: input, output: output, settings: toySettings(steps: 3, seed: seed), restart: restart, force: force)
        #expect(try toyWorker(job.job).run() == .finished)
        var count = 0
        return try job.publish { _ in
            count += 1
            if count == change { throw Killed() }
        }
    }

    /// The bytes of what a result's reader sees.
    private func contents(_ output: String) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: output) where !name.hasPrefix(".") {
            contents[name] = try bytes("\(output)/\(name)")
        }
        return contents
    }

    /// Whether what is seen is a part of one of two results, and the whole of it if there is a report.
    private func isUnmixed(_ seen: [String: [UInt8]], _ old: [String: [UInt8]], _ new: [String: [UInt8]]) -> Bool {
        [old, new].contains { whole in
            let isPart = seen.allSatisfy { Self.timed.contains($0.key) || whole[$0.key] == $0.value }
            return isPart && (seen["report.json"] == nil || seen.count == whole.count)
        }
    }

    /// Files that tell when a run was, and so differ between two runs of the same work.
    private static let timed: Set = ["job.log", "report.json"]

    @Test(.tags(.slow), arguments: 1...16, [false, true])
    func `written over a result and killed at any change never shows files of both, and goes on`(
        _ change: Int, _ restarts: Bool
    ) throws {
        try withTemporaryDirectory { directory in
            let input = try makeInput(directory)
            _ = try restore(input, to: "\(directory)/new", seed: 2)
            let new = try contents("\(directory)/new")
            let output = "\(directory)/out"
            _ = try restore(input, to: output, seed: 1)
            let old = try contents(output)
            #expect(old.keys.sorted() == Self.names.sorted())

            do {
                _ = try restore(input, to: output, seed: 2, force: true, killedBefore: change)
                #expect(change > 15, "\(change)")
            } catch is Killed {
                #expect(isUnmixed(try contents(output), old, new))
            }
            _ = try restore(input, to: output, seed: 2, force: true, restart: restarts)
            let end = try contents(output)
            #expect(end.keys.sorted() == new.keys.sorted() && isUnmixed(end, new, new))
            #expect(try FileManager.default.contentsOfDirectory(atPath: output).allSatisfy { !$0.hasPrefix(".") })
        }
    }

    @Test func `written over a result of another format leaves nothing of that`() throws {
        try withTemporaryDirectory { directory in
            let output = "\(directory)/out"
            _ = try restore(makeInput(directory), to: output, seed: 1)
            try Data("a photograph".utf8).write(to: URL(fileURLWithPath: "\(output)/input.jpg"))
            try Data("mine".utf8).write(to: URL(fileURLWithPath: "\(output)/notes.txt"))
            _ = try restore(makeInput(directory), to: output, seed: 2, force: true)
            #expect(try contents(output).keys.sorted() == (Self.names + ["notes.txt"]).sorted())
        }
    }

    @Test func `that is done is told from all that is not`() throws {
        try withTemporaryDirectory { directory in
            let (input, output) = (try makeInput(directory), "\(directory)/out")
            func finished(
                _ input: String, seed: UInt64 = 1, references: JobRecord.References? = nil
            ) throws -> Report? {
                try ForegroundJob.finishedReport(
                    input: input, output: output, settings: toySettings(steps: 3, seed: seed), references: references)
            }
            #expect(try finished(input) == nil)
            #expect(!FileManager.default.fileExists(atPath: output))
            let report = try restore(input, to: output, seed: 1)
            #expect(try finished(input) == report)
            var other = toySettings(steps: 3, seed: 1)
            other.threads = 1
            other.checkpointInterval = 7
            #expect(try ForegroundJob.finishedReport(input: input, output: output, settings: other) == report)
            #expect(try finished(input, seed: 2) == nil)
            #expect(try finished(input, references: JobRecord.References(image: input)) == nil)
            #expect(try finished(makeInput(directory, "y.png", image: picture(height: 9))) == nil)
            try FileManager.default.removeItem(atPath: "\(output)/result.h5")
            #expect(try finished(input) == nil)
        }
    }

    @Test func `that made no step leaves nothing, and one that did stays`() throws {
        try withTemporaryDirectory { directory in
            let (input, output) = (try makeInput(directory), "\(directory)/a/b/out")
            let settings = toySettings(steps: 5)
            let refused = try ForegroundJob(input: input, output: output, settings: settings)
            #expect(throws: FailureReport.self) { try toyWorker(refused.job) { _ in throw Killed() }.run() }
            try refused.discardUnbegun()
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/a"))

            let failed = try ForegroundJob(input: input, output: output, settings: settings)
            let stop = StopRequest()
            #expect(
                try toyWorker(failed.job, stop: stop) { if $0 == 2 { stop.request() } }.run() == .interrupted(step: 3))
            try failed.discardUnbegun()
            #expect(FileManager.default.fileExists(atPath: failed.job.recordPath))
        }
    }
}
