import Foundation
import Jobs
import Restoration
import TestSupport
import Testing

/// Two real workers on one job, as happens when a machine that was thought dead comes back.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct `Of two workers on one job` {
    /// A started worker with a directory for its words.
    private struct RunningWorker {
        var process: Process
        var directory: String

        func finish() throws -> Finished { try Program.finish(process, in: directory) }
    }

    private func start(_ job: JobDirectory, lease: Int, in directory: String) throws -> RunningWorker {
        let own = "\(directory)/worker-\(lease)"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: false)
        let process = try Program.start(["work", job.path, "--lease", "\(lease)"], in: own)
        return RunningWorker(process: process, directory: own)
    }

    private func makeJob(_ name: String, in directory: String, steps: Int) throws -> JobDirectory {
        if !FileManager.default.fileExists(atPath: "\(directory)/x.png") {
            let scene = try Program.dkp("sample-scene", "x.png", "--size", "24x20", in: directory)
            #expect(scene.status == 0)
        }
        var settings = RestorationSettings()
        settings.scale = 2
        settings.steps = steps
        settings.precision = .f32
        settings.threads = 1
        settings.checkpointInterval = 0.1
        return try JobDirectory.create(in: directory, input: "\(directory)/x.png", settings: settings, name: name)
    }

    private func waitForStep(_ job: JobDirectory, _ worker: RunningWorker) {
        while worker.process.isRunning {
            if let progress = try? JobProgress.read(of: job), progress.step > 0 { return }
            usleep(2_000)
        }
    }

    private func expectSameResult(_ job: JobDirectory, _ whole: JobDirectory) throws {
        for name in ["restored.png", "result.h5", "kernel.png"] {
            #expect(try bytes("\(job.resultPath)/\(name)") == bytes("\(whole.resultPath)/\(name)"), "\(name) differs")
        }
    }

    @Test func `one that slept through its successor's whole work writes nothing when it wakes`() throws {
        try withTemporaryDirectory { directory in
            let whole = try makeJob("whole", in: directory, steps: 40)
            let undisturbed = try Program.dkp("work", whole.path, in: directory)
            #expect(undisturbed.status == 0, "\(undisturbed.errors)")
            let job = try makeJob("job", in: directory, steps: 40)

            let old = try start(job, lease: JobLease.take(job.path).number, in: directory)
            waitForStep(job, old)
            kill(old.process.processIdentifier, SIGSTOP)
            try #require(old.process.isRunning)
            let new = try start(job, lease: JobLease.take(job.path).number, in: directory)
            let finished = try new.finish()
            #expect(finished.status == 0, "\(finished.errors)")
            let before = try FileManager.default.subpathsOfDirectory(atPath: job.path).sorted()
            kill(old.process.processIdentifier, SIGCONT)
            let superseded = try old.finish()

            #expect(superseded.status == 77, "\(superseded.errors)")
            #expect(superseded.errors.contains("lease 1 is over"), "\(superseded.errors)")
            #expect(try FileManager.default.subpathsOfDirectory(atPath: job.path).sorted() == before)
            try expectSameResult(job, whole)
        }
    }

    @Test func `at work at the same time, only the newest writes`() throws {
        try withTemporaryDirectory { directory in
            let whole = try makeJob("whole", in: directory, steps: 60)
            #expect(try Program.dkp("work", whole.path, in: directory).status == 0)
            let job = try makeJob("job", in: directory, steps: 60)
            var workers: [RunningWorker] = []
            for number in 1...3 {
                workers.append(try start(job, lease: JobLease.take(job.path).number, in: directory))
                if number < 3, let worker = workers.last { waitForStep(job, worker) }
            }
            let ends = try workers.map { try $0.finish() }
            // An earlier one may have come to its end before the next was started; then that finds nothing to do.
            #expect(ends.dropLast().allSatisfy { [0, 77].contains($0.status) }, "\(ends)")
            #expect(ends.contains { $0.status == 77 }, "\(ends)")
            #expect(ends.last?.status == 0, "\(ends)")
            try expectSameResult(job, whole)
            #expect(JobRun.history(of: job).last?.end == .finished)
        }
    }
}
