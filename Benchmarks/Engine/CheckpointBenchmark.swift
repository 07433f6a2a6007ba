import ArgumentParser
import CParallel
import Checkpointing
import Foundation
import Imaging
import Jobs
import Restoration
import Synchronization

/// What a checkpoint costs the steps: the time they wait for it, and their slowing while it is written.
struct CheckpointBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "DIP-DKP on a square input, with and without checkpoints beside it.")

    @Option(help: "Rows and columns of the input, at least 16.") var size = 63
    @Option(help: "The scale factor.") var scale = 4
    @Option(help: "auto, f32 or bf16.") var precision = RestorationSettings.Precision.auto
    @Option(help: "Checkpoints measured.") var checkpoints = 5
    @Option(help: "Steps between two checkpoints beside which nothing is written.") var steps = 3
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Option(help: ArgumentHelp("Where checkpoints are written for the while. (default: the temporary folder)"))
    var directory: String?
    @Flag(help: "Print JSON.") var json = false

    private struct Report: Encodable {
        /// The steps' waiting for one checkpoint: taking the snapshot and handing it over.
        var secondsPerCheckpointBlocking: Double
        /// All that a checkpoint costs the steps: the waiting, and the slowing of the steps beside the writer.
        var secondsPerCheckpoint: Double
        /// The processor time of taking, handing over and writing one checkpoint, which a busy machine does not change.
        var cpuSecondsPerCheckpoint: Double
        /// A step beside which nothing is written.
        var stepSeconds: Double
        /// The size of the newest checkpoint's file.
        var checkpointBytes: Int
        var checkpoints: Int
        var threads: Int
        /// Of whole steps, kernel search included; there only where Benchmarks/allocations.c is preloaded.
        var allocations: StepAllocations?
    }

    func validate() throws {
        guard size >= 16, checkpoints >= 1, steps >= 1, threads >= 1, [2, 3, 4, 8].contains(scale) else {
            throw ValidationError("--size is at least 16, the counts at least 1, --scale 2, 3, 4 or 8.")
        }
    }

    func run() throws {
        dkp_set_thread_count(Int32(clamping: threads))
        let parent = directory.map { URL(fileURLWithPath: $0) } ?? FileManager.default.temporaryDirectory
        let folder = parent.appendingPathComponent("dkp-benchmark-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }

        var settings = RestorationSettings()
        settings.scale = scale
        settings.precision = precision
        let process = try DIPDKP(input: SampleScene().image(height: size, width: size).colour, settings: settings)
        let report = try measure(process, CheckpointStore(directory: folder.path))
        if json {
            print(try benchmarkJSON(report))
        } else {
            print(
                String(
                    format:
                        "%.3f s per checkpoint of %d MiB, of which the steps wait %.3f s; %.3f s of processor time; "
                        + "%.3f s per step",
                    report.secondsPerCheckpoint, report.checkpointBytes >> 20, report.secondsPerCheckpointBlocking,
                    report.cpuSecondsPerCheckpoint, report.stepSeconds))
        }
    }

    /// Steps alone and steps beside the writer take turns, so that a change in the machine's load affects both.
    private func measure(_ process: DIPDKP, _ store: CheckpointStore) throws -> Report {
        let writing = Mutex<[Double]>([])
        let writer = BackgroundCheckpointWriter { snapshot, step throws(CheckpointError) in
            let begin = Self.threadSeconds()
            try store.save(snapshot, step: step)
            writing.withLock { $0.append(Self.threadSeconds() - begin) }
        }
        let clock = ContinuousClock()
        func seconds(_ work: () throws -> Void) rethrows -> Double { try clock.measure(work) / .seconds(1) }

        // With the second sampling, everything that a step needs has been allocated.
        for _ in 0..<6 { _ = try process.advance() }
        var allocations = StepAllocations()
        for _ in 0..<10 { try allocations?.count { _ = try process.advance() } }
        var alone: [Double] = []
        var waiting: [Double] = []
        var taking: [Double] = []
        var beside: [[Double]] = []
        for _ in 0..<checkpoints {
            for _ in 0..<steps { alone.append(try seconds { _ = try process.advance() }) }
            let begin = Self.threadSeconds()
            waiting.append(try seconds { try writer.write(process.snapshot(), step: process.step) })
            taking.append(Self.threadSeconds() - begin)
            var slowed: [Double] = []
            while writer.isWriting { slowed.append(try seconds { _ = try process.advance() }) }
            beside.append(slowed)
        }
        try writer.finish()

        let step = Self.median(alone)
        let slowing = beside.map { steps in steps.reduce(0) { $0 + $1 - step } }
        let path = try store.generations().first?.path ?? ""
        let bytes = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        return Report(
            secondsPerCheckpointBlocking: Self.median(waiting),
            secondsPerCheckpoint: Self.median(zip(waiting, slowing).map { $0 + max($1, 0) }),
            cpuSecondsPerCheckpoint: Self.median(taking) + Self.median(writing.withLock { $0 }),
            stepSeconds: step, checkpointBytes: bytes ?? 0, checkpoints: checkpoints, threads: threads,
            allocations: allocations)
    }

    /// The processor time that this thread has used.
    private static func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
