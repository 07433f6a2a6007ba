import Checkpointing
import Failures
import Foundation
import HDF5
import Imaging
import Jobs
import Restoration
import Tensors
import TestSupport
import Testing

@Suite struct WorkerTests {
    struct Killed: Error {}

    @Test func `a run leaves a whole result`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            #expect(try toyWorker(job).run() == .finished)
            let names = try FileManager.default.contentsOfDirectory(atPath: job.resultPath).sorted()
            #expect(
                names == [
                    "figure.png", "input.png", "job.log", "kernel.png", "report.json", "restored.png", "result.h5",
                ])
            #expect(try bytes("\(job.resultPath)/input.png") == bytes(job.inputPath))
            let report = try Report.read("\(job.resultPath)/report.json")
            #expect(report.steps == 20)
            #expect(report.interruptions == 0)
            #expect(report.resumes == 0)
            #expect(report.output.width == 36 && report.output.height == 28)
            #expect(report.settings == job.record.settings)
            #expect(report.peakMemoryBytes > 0)
            #expect(report.psnr == nil)
            let result = try SnapshotFile.read(from: "\(job.resultPath)/result.h5", format: "dkp-result", version: 1)
            #expect(try result.dataset("image").shape == [3, 28, 36])
            #expect(try result.dataset("kernel").shape == [5, 5])
            #expect(try result.doubles("trace/loss", count: 20).allSatisfy { $0.isFinite })
            #expect(try JobProgress.read(of: job).step == 20)
            // Doing it again is nothing to do.
            #expect(try toyWorker(job) { _ in throw Killed() }.run() == .finished)
        }
    }

    @Test(arguments: [
        (1, false, Image.BitDepth.eight), (3, false, .sixteen), (1, true, .sixteen), (3, true, .eight),
    ])
    func `the restored image is of the input's kind`(_ channels: Int, _ hasAlpha: Bool, _ depth: Image.BitDepth) throws
    {
        try withTemporaryDirectory { directory in
            let job = try makeJob(
                in: directory, image: picture(channels: channels, hasAlpha: hasAlpha, depth: depth),
                settings: toySettings(steps: 3))
            #expect(try toyWorker(job).run() == .finished)
            let restored = try Image(file: "\(job.resultPath)/restored.png")
            #expect(restored.channels == channels)
            #expect((restored.alpha != nil) == hasAlpha)
            #expect(restored.bitDepth == depth)
            #expect(restored.width == 36 && restored.height == 28)
        }
    }

    @Test(arguments: 0..<8)
    func `stopped and killed at random steps, the result is the same byte for byte`(_ seed: Int) throws {
        try withTemporaryDirectory { directory in
            let steps = 40
            let whole = try makeJob(in: directory, name: "whole", settings: toySettings(steps: steps))
            #expect(try toyWorker(whole).run() == .finished)

            let job = try makeJob(in: directory, name: "torn", settings: toySettings(steps: steps))
            var stream = RandomStream(seed: UInt64(seed), name: "interruptions")
            var interruptions = 0
            var outcome = Worker.Outcome.interrupted(step: 0)
            while outcome != .finished {
                let stop = StopRequest()
                let stopAfter = 1 + stream.index(below: 12)
                let kills = stream.uniform() < 0.4
                var stepsLeft = stopAfter
                let worker = toyWorker(job, stop: stop) { _ in
                    stepsLeft -= 1
                    guard stepsLeft < 0 else { return }
                    // A kill loses what was done since the last checkpoint; a stop loses nothing.
                    if kills { throw Killed() }
                    stop.request()
                }
                do throws(FailureReport) {
                    outcome = try worker.run()
                    if outcome != .finished { interruptions += 1 }
                } catch {
                    #expect(error.message.contains("Killed"))
                    interruptions += 1
                }
            }
            #expect(interruptions > 0)
            for name in ["restored.png", "result.h5", "kernel.png", "figure.png"] {
                #expect(
                    try bytes("\(job.resultPath)/\(name)") == bytes("\(whole.resultPath)/\(name)"), "\(name) differs")
            }
            let report = try Report.read("\(job.resultPath)/report.json")
            #expect(report.interruptions == interruptions)
        }
    }

    /// Runs `steps` steps of a job and stops it with a checkpoint.
    private func stop(_ job: JobDirectory, after steps: Int) throws {
        let stop = StopRequest()
        var left = steps
        let outcome = try toyWorker(job, stop: stop) { _ in
            left -= 1
            if left == 0 { stop.request() }
        }.run()
        #expect(outcome != .finished)
    }

    private func checkpoints(_ job: JobDirectory) throws -> [String] {
        try CheckpointStore(directory: job.path).generations().map(\.path)
    }

    private func damage(_ path: String) throws {
        var content = try bytes(path)
        content[content.count / 2] ^= 0x10
        try Data(content).write(to: URL(fileURLWithPath: path))
    }

    @Test func `a damaged newest checkpoint costs one generation`() throws {
        try withTemporaryDirectory { directory in
            let whole = try makeJob(in: directory, name: "whole")
            #expect(try toyWorker(whole).run() == .finished)
            let job = try makeJob(in: directory)
            try stop(job, after: 5)
            try stop(job, after: 4)
            let found = try checkpoints(job)
            #expect(found.count == 2)
            try damage(found[0])
            var first: Int?
            #expect(try toyWorker(job) { step in first = first ?? step }.run() == .finished)
            #expect(first == 5)
            #expect(try text(job.logPath).contains("passed over"))
            #expect(try bytes("\(job.resultPath)/result.h5") == bytes("\(whole.resultPath)/result.h5"))
        }
    }

    @Test func `with no intact checkpoint it begins again from the input, and says so`() throws {
        try withTemporaryDirectory { directory in
            let whole = try makeJob(in: directory, name: "whole")
            #expect(try toyWorker(whole).run() == .finished)
            let job = try makeJob(in: directory)
            try stop(job, after: 5)
            try stop(job, after: 4)
            for path in try checkpoints(job) { try damage(path) }
            var first: Int?
            #expect(try toyWorker(job) { step in first = first ?? step }.run() == .finished)
            #expect(first == 0)
            #expect(try text(job.logPath).contains("starting again from the input"))
            let report = try Report.read("\(job.resultPath)/report.json")
            #expect(report.notes.contains { $0.contains("starting again from the input") })
            #expect(report.interruptions == 2)
            #expect(report.resumes == 1)
            #expect(try bytes("\(job.resultPath)/result.h5") == bytes("\(whole.resultPath)/result.h5"))
        }
    }

    @Test(arguments: [("settings", "{}"), ("input_sha256", "another")])
    func `a checkpoint that is not this job's is not continued`(_ attribute: String, _ value: String) throws {
        let (first, log) = try firstStep(afterChanging: { $0.setAttribute(attribute, value) })
        #expect(first == 0)
        #expect(log.contains("cannot be continued"))
    }

    @Test func `a checkpoint of a version that computed in another way is not continued`() throws {
        let (first, log) = try firstStep(afterChanging: {
            $0.setAttribute("software_version", "0.1.0")
            $0.setAttribute("compatibility", 0)
        })
        #expect(first == 0)
        #expect(log.contains("cannot be continued: it was written by version 0.1.0"))
    }

    @Test(arguments: ["0.0.9", "999.0.0"])
    func `a checkpoint of any version that computed in the same way is continued`(_ version: String) throws {
        let (first, log) = try firstStep(afterChanging: { $0.setAttribute("software_version", version) })
        #expect(first == 5)
        #expect(!log.contains("the last digits"))
    }

    @Test(arguments: [
        ("precision", AttributeValue.string("f16"), "(f16 before)"),
        ("instruction_set", .string("vax"), "(vax before)"),
        ("threads", .int(4711), "(4711 before)"),
    ])
    func `work that goes on on another kind of machine says so`(
        _ attribute: String, _ value: AttributeValue, _ words: String
    ) throws {
        let (first, log) = try firstStep(afterChanging: { $0.setAttribute(attribute, value) })
        #expect(first == 5)
        #expect(log.contains("warning the work goes on with") && log.contains(words))
    }

    /// Stops a job at step 5, changes its newest checkpoint, and runs it to its end.
    /// - Returns: the first step that was done then, and the log.
    private func firstStep(afterChanging change: (inout Snapshot) -> Void) throws -> (Int?, String) {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            try stop(job, after: 5)
            let store = CheckpointStore(directory: job.path)
            var snapshot = try #require(try store.latest()).snapshot
            change(&snapshot)
            try store.save(snapshot, step: 5)
            var first: Int?
            #expect(try toyWorker(job) { step in first = first ?? step }.run() == .finished)
            return (first, try text(job.logPath))
        }
    }

    @Test func `an error is in error.json and the log, and the next run clears it`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            let failure = try #require(throws: FailureReport.self) {
                try toyWorker(job) { step in if step == 3 { throw RestorationError(.unavailable, "no luck") } }.run()
            }
            #expect(failure.exitStatus == .unavailable)
            #expect(try JSONDecoder().decode(FailureReport.self, from: Data(bytes(job.errorPath))) == failure)
            #expect(try text(job.logPath).contains("error no luck"))
            #expect(try toyWorker(job).run() == .finished)
            #expect(!FileManager.default.fileExists(atPath: job.errorPath))
        }
    }

    @Test func `an input that is no image fails with bad input`() throws {
        try withTemporaryDirectory { directory in
            try Data("hello".utf8).write(to: URL(fileURLWithPath: "\(directory)/x.png"))
            let job = try JobDirectory.create(
                in: directory, input: "\(directory)/x.png", settings: toySettings(), name: "job")
            let failure = try #require(throws: FailureReport.self) { try toyWorker(job).run() }
            #expect(failure.exitStatus == .badInput)
            #expect(failure.code == "not_an_image")
        }
    }

    @Test func `one job has one worker, and a second is told who`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            var second: FailureReport?
            let outcome = try toyWorker(job) { step in
                guard step == 2 else { return }
                do throws(FailureReport) { _ = try toyWorker(job).run() } catch { second = error }
            }.run()
            #expect(outcome == .finished)
            #expect(second?.code == "busy")
            #expect(second?.message.contains("process \(getpid())") == true)
            // The first one's state is untouched.
            #expect(!FileManager.default.fileExists(atPath: job.errorPath))
        }
    }

    @Test func `references give scores`() throws {
        try withTemporaryDirectory { directory in
            let truth = SampleSceneReference.image
            try truth.writePNG(to: "\(directory)/truth.png")
            try KernelFile.write(
                Tensor(shape: [5, 5], [Double](repeating: 0.04, count: 25)), to: "\(directory)/truth.h5")
            let job = try makeJob(
                in: directory,
                references: JobRecord.References(image: "\(directory)/truth.png", kernel: "\(directory)/truth.h5"))
            #expect(try toyWorker(job).run() == .finished)
            let report = try Report.read("\(job.resultPath)/report.json")
            #expect(report.psnr.map { $0 > 0 } == true)
            #expect(report.ssim != nil && report.bicubicPSNR != nil && report.kernelPSNR != nil)
            #expect(report.notes.isEmpty)
        }
    }

    @Test func `a reference that is not there is told before any work`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(
                in: directory, references: JobRecord.References(image: "\(directory)/none.png", kernel: nil))
            let failure = try #require(throws: FailureReport.self) { try toyWorker(job) { _ in throw Killed() }.run() }
            #expect(failure.exitStatus == .noInput)
        }
    }

    @Test func `checkpoints are written by the clock while the work goes on`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory, settings: toySettings(steps: 30))
            var seen: Set<String> = []
            let outcome = try toyWorker(job) { _ in
                usleep(20_000)
                seen.formUnion(try checkpoints(job))
            }.run()
            #expect(outcome == .finished)
            #expect(seen.count >= 2)
            #expect(try checkpoints(job).count == 2)
        }
    }

    @Test func `a checkpoint that cannot be written does not end the work`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory, settings: toySettings(steps: 30))
            var blocked = false
            let outcome = try toyWorker(job) { step in
                usleep(20_000)
                // Directories of the very names that the next checkpoints want.
                for next in step + 1...step + 3 where step < 20 {
                    blocked = true
                    let digits = String(next)
                    let name = "checkpoint-" + String(repeating: "0", count: 10 - digits.count) + digits + ".h5"
                    try? FileManager.default.createDirectory(
                        atPath: "\(job.path)/\(name)/x", withIntermediateDirectories: true)
                }
            }.run()
            #expect(blocked)
            #expect(outcome == .finished)
            #expect(try text(job.logPath).contains("a checkpoint was not written"))
        }
    }
}

/// A reference of the size of a toy's result.
enum SampleSceneReference {
    static var image: Image { SampleScene(seed: 2).image(height: 28, width: 36) }
}
