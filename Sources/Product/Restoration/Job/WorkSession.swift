import CParallel
import Checkpointing
import Foundation
import Imaging
import Jobs
import KernelPrior
import Tensors

/// One worker's spell of work on a job that it holds.
final class WorkSession {
    private let job: JobDirectory
    private var hold: JobHold
    private let lease: JobLease
    private let stop: StopRequest
    private let observe: (Worker.Event) -> Void
    private let log: JobLog
    private let store: CheckpointStore
    private let header: CheckpointHeader
    private let clock = ContinuousClock()

    private let image: Image
    private let references: ReferenceData
    private let input: RestorationInput
    private let makeProcess: RestorationProcessFactory
    /// The image as its user calls it.
    private let name: String
    /// The memory that the work will take at its peak; nil where nobody tells.
    private let memoryBytes: Int?

    private var trace = RestorationTrace()
    private var runs: [JobRun]
    private var notes: [String] = []
    private var lastReport: ContinuousClock.Instant?

    init(
        _ job: JobDirectory, named name: String, hold: consuming JobHold, stop: StopRequest, limits: ImageLimits,
        memory: MemoryEstimator?, makeProcess: @escaping RestorationProcessFactory,
        observe: @escaping (Worker.Event) -> Void
    ) throws {
        self.job = job
        self.name = name
        lease = hold.lease
        self.hold = hold
        self.stop = stop
        self.observe = observe
        self.makeProcess = makeProcess
        log = JobLog(path: job.logPath, lease: lease)
        store = CheckpointStore(directory: job.path, staging: lease.path)
        header = CheckpointHeader(job: job)
        let settings = job.record.settings
        // Before anything computes: the count fixes how sums are split, and oneDNN reads it when it plans.
        if let threads = settings.threads { dkp_set_thread_count(Int32(threads)) }

        let image = try job.image(named: name, limits: limits).fillingHiddenColour()
        self.image = image
        memoryBytes = try memory.map { estimate in
            try MemoryCheck(
                estimate: estimate, settings: settings, channels: image.channels, height: image.height,
                width: image.width, name: name
            ).bytes(within: .least())
        }
        references = try ReferenceData(
            job.record.references, height: image.height * settings.scale, width: image.width * settings.scale)
        input = RestorationInput(
            planes: image.colour, settings: settings,
            oracleKernel: try settings.oracleKernel.map {
                try KernelFile.read($0).map { Float($0) }
                    .padded(toSize: KernelPriorSettings.kernelSize(scale: settings.scale))
            })
        runs = JobRun.history(of: job)
    }

    func run() throws -> Worker.Outcome {
        runs.append(
            JobRun(
                pid: getpid(), started: Date(), firstStep: 0, lastStep: 0, computeSeconds: 0, peakMemoryBytes: 0,
                end: .running))
        log.write(
            .info,
            "run \(runs.count) of \(job.record.originalName), \(outline); \(Software.name) \(Software.version), process "
                + "\(getpid()), \(dkp_thread_count()) threads")
        observe(.outline("\(name): \(outline)"))
        if let memoryBytes, let available = MemoryLimit.available(), memoryBytes > available {
            log.write(.warning, "only \(MemoryCheck.words(available)) of memory are free at present")
        }
        image.warnings.forEach { note("\(job.record.originalName): \($0)") }
        do {
            let outcome = try work()
            end(outcome == .finished ? .finished : .interrupted)
            return outcome
        } catch {
            end(.failed)
            throw error
        }
    }

    /// What the work is about, in a few words.
    private var outline: String {
        let memory = memoryBytes.map { ", about \(MemoryCheck.words($0)) of memory" } ?? ""
        return "\(image.width) x \(image.height), scale \(input.settings.scale)\(memory)"
    }

    private func work() throws -> Worker.Outcome {
        try report(step: 0, total: 0, phase: "starting", always: true)
        let process = try beginOrResume()
        runs[runs.count - 1].firstStep = process.step
        try report(step: process.step, total: process.totalSteps, phase: "starting", always: true)
        if try advance(process) == .stopped { return .interrupted(step: process.step) }
        try report(step: process.step, total: process.totalSteps, phase: "writing results", always: true)
        runs[runs.count - 1].peakMemoryBytes = JobRun.peakMemory()
        let estimate = LevelCorrection(observed: input.planes, scale: input.settings.scale)
            .corrected(try process.estimate())
        if let text = estimate.note { note(text) }
        log.write(.info, "\(process.step) steps done, writing the result")
        let writer = ResultWriter(job: job, lease: lease, input: image, references: references)
        _ = try writer.write(
            estimate,
            ResultWriter.Run(trace: trace, runs: runs, threads: Int(dkp_thread_count()), notes: notes))
        // The result is in place: whoever takes the job from now on publishes it.
        try? report(step: process.step, total: process.totalSteps, phase: "done", always: true)
        return .finished
    }

    // MARK: Beginning

    private func beginOrResume() throws -> any RestorationProcess {
        let resumption = try Resumption(store, header)
        resumption.notes.forEach { note($0) }
        guard let snapshot = resumption.snapshot else { return try makeProcess(input, nil) }
        do {
            let process = try makeProcess(input, snapshot)
            trace = try RestorationTrace(snapshot, count: process.step)
            log.write(.info, "resumed at step \(process.step) of \(process.totalSteps) from \(snapshot.origin)")
            return process
        } catch let error where Resumption.isMisfit(error) {
            note("the checkpoint cannot be resumed, starting again from the input: \(error)")
            trace = RestorationTrace()
            return try makeProcess(input, nil)
        }
    }

    // MARK: Stepping

    private enum Stepping { case done, stopped }

    private func advance(_ process: any RestorationProcess) throws -> Stepping {
        let writer = BackgroundCheckpointWriter(store: store)
        let interval = Duration.seconds(input.settings.checkpointInterval)
        var lastCheckpoint = clock.now
        while process.step < process.totalSteps {
            if stop.isRequested {
                try stopWithCheckpoint(process, writer)
                return .stopped
            }
            let begin = clock.now
            let record = try process.advance()
            let seconds = (clock.now - begin).seconds
            trace.append(record, seconds: seconds)
            runs[runs.count - 1].lastStep = process.step
            runs[runs.count - 1].computeSeconds += seconds
            try report(
                step: process.step, total: process.totalSteps, phase: record.phase, remaining: process.remainingWork)
            // A slow disk makes checkpoints rarer; it does not make the computation wait.
            if clock.now - lastCheckpoint >= interval, !writer.isWriting, process.step < process.totalSteps {
                lastCheckpoint = clock.now
                checkpoint(process, writer)
            }
        }
        do {
            try writer.finish()
        } catch {
            note("the last checkpoint was not written: \(error)")
        }
        return .done
    }

    /// Begins to write a checkpoint. A failure is told, and the work goes on: what there is on disk still stands.
    private func checkpoint(_ process: any RestorationProcess, _ writer: BackgroundCheckpointWriter) {
        do {
            try writer.write(try snapshot(of: process), step: process.step)
        } catch {
            note("a checkpoint was not written: \(error)")
        }
    }

    private func stopWithCheckpoint(_ process: any RestorationProcess, _ writer: BackgroundCheckpointWriter) throws {
        try? writer.finish()
        let path = try store.save(try snapshot(of: process), step: process.step)
        log.write(
            .info, "stopped by \(stop.signalName ?? "request") at step \(process.step), checkpoint \(path) written")
        try report(step: process.step, total: process.totalSteps, phase: "stopped", always: true)
    }

    private func snapshot(of process: any RestorationProcess) throws -> Snapshot {
        var snapshot = try process.snapshot()
        try header.save(in: &snapshot, step: process.step, totalSteps: process.totalSteps)
        trace.save(in: &snapshot)
        return snapshot
    }

    // MARK: Telling

    private func note(_ text: String) {
        log.write(.warning, text)
        notes.append(text)
        observe(.notice(text))
    }

    /// Tells the observer, and about once a second whoever reads `progress.json`.
    /// - Parameter remaining: the work that is left, in steps of the present kind; nil where all steps are alike.
    /// - Throws: ``RestorationError`` if the job has been taken over.
    private func report(
        step: Int, total: Int, phase: String, remaining: Double? = nil, always: Bool = false
    ) throws {
        let rate = trace.rate
        let progress = JobProgress(
            step: step, total: total, loss: trace.loss.last.flatMap { $0.isFinite ? $0 : nil },
            kernelLoss: trace.kernelLoss.last { $0.isFinite }, rate: rate,
            eta: rate.map { (remaining ?? Double(total - step)) / $0 }, phase: phase, pid: getpid(), updated: Date())
        observe(.progress(progress))
        let now = clock.now
        guard always || lastReport.map({ now - $0 >= .seconds(1) }) ?? true else { return }
        lastReport = now
        try hold.check()
        // These tell how it goes; the work does not depend on them, and a full disk must not end it.
        try? lease.replace(job.progressPath, with: JobJSON.encode(progress, pretty: false), durably: false)
        writeRuns()
    }

    private func writeRuns() {
        runs[runs.count - 1].peakMemoryBytes = JobRun.peakMemory()
        try? lease.replace(job.runsPath, with: JobJSON.encode(runs), durably: false)
    }

    private func end(_ end: JobRun.End) {
        runs[runs.count - 1].end = end
        writeRuns()
        if end == .finished { log.write(.info, "done") }
    }
}

extension Duration {
    /// The length in seconds.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
