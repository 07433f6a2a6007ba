import Checkpointing
import Failures
import Foundation
import Jobs
import Restoration
import TestSupport
import Testing

/// What keeps a checkpoint from being used at the moment must not cost the work that is in it.
@Suite struct `A checkpoint that cannot be resumed for the moment` {
    /// An error of which the worker knows nothing.
    struct Unknown: Error {}

    /// A job stopped at step 5, with the bytes of its checkpoints by their paths.
    private func withStoppedJob(_ body: (JobDirectory, _ checkpoints: [String: [UInt8]]) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            try stopAtFive(job)
            try body(job, try checkpoints(of: job))
        }
    }

    private func checkpoints(of job: JobDirectory) throws -> [String: [UInt8]] {
        let paths = try CheckpointStore(directory: job.path).generations().map(\.path)
        return Dictionary(uniqueKeysWithValues: try paths.map { ($0, try bytes($0)) })
    }

    /// Runs a job to its end and tells the first step that was done.
    private func firstStep(_ job: JobDirectory) throws -> Int? {
        var first: Int?
        #expect(try toyWorker(job) { step in first = first ?? step }.run() == .finished)
        return first
    }

    static let causes: [any Error] = [
        CheckpointError(.exhausted, "too many open files"), CheckpointError(.notReadable, "permission denied"),
        CheckpointError(.inputOutput, "a bad sector"), CheckpointError(.notFound, "gone"),
        CheckpointError(.unavailable, "no library"), CheckpointError(.newerVersion, "version 2"),
        RestorationError(.unavailable, "no memory"), RestorationError(.badSettings, "other weights"),
        RestorationError(.inputOutput, "a disk"), Unknown(), CocoaError(.fileReadNoPermission),
    ]

    @Test(arguments: causes)
    func `fails the run, stays as it was, and is resumed by the next`(_ cause: any Error) throws {
        try withStoppedJob { job, before in
            let worker = Worker(
                job, memory: nil,
                makeProcess: { _, snapshot in
                    #expect(snapshot != nil, "the work was begun anew")
                    throw cause
                })
            let failure = try #require(throws: FailureReport.self) { try worker.run() }
            #expect(failure == FailureReport(cause))
            #expect(try checkpoints(of: job) == before)
            #expect(try firstStep(job) == 5)
        }
    }

    @Test(arguments: [
        CheckpointError.Code.missing, .wrongType, .wrongShape, .damaged, .wrongFormat,
    ])
    func `but one that does not fit makes the work begin anew, and says so`(_ code: CheckpointError.Code) throws {
        let makeProcess: RestorationProcessFactory = { input, snapshot in
            if snapshot != nil { throw CheckpointError(code, "not what was saved") }
            return try ToyProcess(input)
        }
        try withStoppedJob { (job, _) throws in
            #expect(try Worker(job, memory: nil, makeProcess: makeProcess).run() == .finished)
            #expect(try text(job.logPath).contains("starting again from the input: not what was saved"))
        }
    }

    @Test func `of a newer format is kept for the newer program`() throws {
        try withStoppedJob { job, before in
            for path in before.keys {
                let snapshot = try SnapshotFile.read(from: path)
                try SnapshotFile.write(snapshot, to: path, version: SnapshotFile.checkpointVersion + 1)
            }
            let newer = try checkpoints(of: job)
            let failure = try #require(throws: FailureReport.self) { try toyWorker(job).run() }
            #expect(failure.exitStatus == .unavailable && failure.message.contains("newer program"))
            #expect(try checkpoints(of: job) == newer)
        }
    }

    @Test func `of a version that computes in a newer way is kept for that program`() throws {
        try withStoppedJob { job, before in
            let store = CheckpointStore(directory: job.path)
            var snapshot = try #require(try store.latest()).snapshot
            snapshot.setAttribute("software_version", "999.0.0")
            snapshot.setAttribute("compatibility", 999)
            try store.save(snapshot, step: 5)
            let newer = try checkpoints(of: job)
            let failure = try #require(throws: FailureReport.self) { try toyWorker(job).run() }
            #expect(failure.exitStatus == .unavailable && failure.description.contains("version 999.0.0"))
            #expect(try checkpoints(of: job) == newer)
        }
    }

    @Test func `for want of permission fails the run and stays`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { directory in
                let job = try makeJob(in: directory)
                try stopAtFive(job)
                let store = CheckpointStore(directory: job.path)
                let path = try #require(try store.generations().first).path
                // The superuser may read everything.
                let nobody: uid_t = 65534
                if geteuid() == 0 {
                    for name in try FileManager.default.subpathsOfDirectory(atPath: directory) + [""] {
                        #expect(chown("\(directory)/\(name)", nobody, nobody) == 0)
                    }
                    #expect(chown(path, 0, 0) == 0)
                }
                #expect(chmod(path, geteuid() == 0 ? 0o600 : 0) == 0)
                if geteuid() == 0 { #expect(seteuid(nobody) == 0) }
                let failure = try #require(throws: FailureReport.self) { try toyWorker(job).run() }
                #expect(failure.code == "checkpoint_not_readable" && failure.message.contains(path))
                if getuid() == 0 { #expect(seteuid(0) == 0) }
                #expect(chmod(path, 0o644) == 0)
                var first: Int?
                #expect(try toyWorker(job) { step in first = first ?? step }.run() == .finished)
                #expect(first == 5)
            }
        }
    }

    @Test func `for want of file descriptors fails the run and stays`() async {
        await #expect(processExitsWith: .success) {
            try withTemporaryDirectory { directory in
                let job = try makeJob(in: directory)
                try stopAtFive(job)
                var limit = rlimit()
                let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
                #expect(getrlimit(resource, &limit) == 0)
                limit.rlim_cur = 128
                #expect(setrlimit(resource, &limit) == 0)
                var taken: [Int32] = []
                let worker = Worker(
                    job, memory: nil, makeProcess: { try ToyProcess($0, resuming: $1) },
                    observe: { event in
                        guard case .progress(let progress) = event, progress.phase == "starting" else { return }
                        while case let descriptor = open("/dev/null", O_RDONLY), descriptor >= 0 {
                            taken.append(descriptor)
                        }
                    })
                let failure = try #require(throws: FailureReport.self) { try worker.run() }
                #expect(failure.code == "checkpoint_exhausted" && !taken.isEmpty)
                taken.forEach { close($0) }
                var first: Int?
                #expect(try toyWorker(job) { step in first = first ?? step }.run() == .finished)
                #expect(first == 5)
            }
        }
    }
}

/// Runs five steps of a job and stops it with a checkpoint.
private func stopAtFive(_ job: JobDirectory) throws {
    let stop = StopRequest()
    #expect(try toyWorker(job, stop: stop) { if $0 == 4 { stop.request() } }.run() == .interrupted(step: 5))
}
