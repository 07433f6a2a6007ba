import Checkpointing
public import Failures
import Foundation
public import Imaging
public import Jobs

/// Does the work of one job directory: begins or resumes it, checkpoints by the clock, and writes the result.
///
/// It may be killed at any instant and run again, as often as one likes: the result has the same bytes as that of a run
/// that was left in peace (same type of machine, same number of threads).
public struct Worker {
    /// How a run ended, when no error ended it.
    public enum Outcome: Sendable, Equatable {
        /// The result is complete.
        case finished
        /// A stop was asked for; a checkpoint of this step was written.
        case interrupted(step: Int)
    }

    /// What a run tells while it goes on.
    public enum Event: Sendable {
        /// What the run is about: the image, its size, the scale and the memory that it will take.
        case outline(String)
        /// The state after a step, or a new phase.
        case progress(JobProgress)
        /// A line of the job's log that the user should see.
        case notice(String)
    }

    private let job: JobDirectory
    private let makeProcess: RestorationProcessFactory
    private let stop: StopRequest
    private let observe: (Event) -> Void
    private let limits: ImageLimits
    private let leaseNumber: Int?
    private let memory: MemoryEstimator?
    private let inputName: String

    /// A worker on a job.
    /// - Parameters:
    ///   - stop: asks it to write a checkpoint at the end of the present step and return.
    ///   - lease: the number of the lease that whoever starts the worker has taken for it; nil makes it take one itself,
    ///     once it holds the job's lock.
    ///   - limits: the greatest input that is decoded.
    ///   - inputName: what messages call the image; the job's name for it if nil.
    ///   - memory: tells the memory that the work will take, so that what cannot be done is refused at once; nil tells none.
    ///   - makeProcess: makes what is to be run.
    ///   - observe: called after every step, on the thread that computes.
    public init(
        _ job: JobDirectory, stop: StopRequest = StopRequest(), lease: Int? = nil, limits: ImageLimits = .default,
        inputName: String? = nil, memory: MemoryEstimator? = RestorationFactory.memoryBytes,
        makeProcess: @escaping RestorationProcessFactory = RestorationFactory.makeProcess,
        observe: @escaping (Event) -> Void = { _ in }
    ) {
        self.job = job
        self.stop = stop
        leaseNumber = lease
        self.limits = limits
        self.inputName = inputName ?? job.record.originalName
        self.memory = memory
        self.makeProcess = makeProcess
        self.observe = observe
    }

    /// Works until the result is there or a stop is asked for. It computes on the calling thread, which must not be one
    /// of Swift's cooperative pool.
    ///
    /// A worker that was started with a lease does not wait for the job's lock: the one who holds it has been
    /// superseded, and stops when he next looks.
    /// - Throws: ``FailureReport``; but for a job that another worker holds or has taken over, it is in `error.json` and the log
    ///   too.
    public func run() throws(FailureReport) -> Outcome {
        do {
            if let leaseNumber {
                let lease = JobLease(job: job.path, number: leaseNumber)
                try lease.check()
                return try run(JobHold(job, lease: lease))
            }
            return try run(JobHold(job))
        } catch {
            throw FailureReport(error)
        }
    }

    private func run(_ hold: consuming JobHold) throws -> Outcome {
        if job.isFinished { return .finished }
        let lease = hold.lease
        try lease.remove(job.errorPath)
        do {
            let session = try WorkSession(
                job, named: inputName, hold: hold, stop: stop, limits: limits, memory: memory,
                makeProcess: makeProcess, observe: observe)
            return try session.run()
        } catch {
            // Whatever went wrong for a worker that has lost its job went wrong because of that.
            try lease.check()
            let failure = FailureReport(error)
            JobLog(path: job.logPath, lease: lease).write(.error, failure.description)
            // Where this cannot be written, the exit code and standard error still tell.
            try? lease.replace(job.errorPath, with: JobJSON.encode(failure), durably: true)
            throw failure
        }
    }
}
