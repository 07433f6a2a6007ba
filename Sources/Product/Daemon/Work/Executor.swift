package import SystemPackage

/// The name of one run of a worker: which job, under which lease. Both stand in the job's directory, so a daemon that
/// was started again names the run as the one before it did, and an executor must find it by no more than that.
package struct WorkerHandle: Sendable, Hashable, CustomStringConvertible {
    /// The job.
    package var job: JobID
    /// The lease under which the worker changes the job (see `JobLease`).
    package var lease: Int

    package init(job: JobID, lease: Int) {
        self.job = job
        self.lease = lease
    }

    /// Fit for the name of a job of a batch system.
    package var description: String { "dkp-\(job)-\(lease)" }
}

/// One run of a worker on a job.
package struct WorkerRun: Sendable {
    /// Its name.
    package var handle: WorkerHandle
    /// The job's directory.
    package var directory: FilePath
    /// How many compute threads it may use.
    package var threads: Int

    package init(handle: WorkerHandle, directory: FilePath, threads: Int) {
        self.handle = handle
        self.directory = directory
        self.threads = threads
    }
}

/// How a run of a worker ended.
package enum WorkerEnd: Sendable, Equatable, CustomStringConvertible {
    /// With an exit status.
    case exited(Int32)
    /// By a signal that it did not catch.
    case killed(signal: Int32)
    /// It is over, and nobody knows how: the job's directory has to tell.
    case unobserved

    package var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .killed(let signal): "killed by signal \(signal)"
        case .unobserved: "ended unobserved"
        }
    }
}

/// Where a run of a worker stands.
package enum WorkerState: Sendable, Equatable {
    /// At work, or waiting for its turn where there is a queue.
    case running
    /// Over.
    case ended(WorkerEnd)
    /// No such run, or one of which every trace is gone.
    case unknown
}

/// A way to run workers: here, or some day on a cluster.
///
/// A worker may be killed and started again at any moment. Two may even be alive on one job (a cluster's node that was
/// thought dead comes back): the lease in the run's name sees to it that only the newer one changes the job. A run
/// outlives the daemon that started it; the next daemon asks for it by the same name.
package protocol Executor: Sendable {
    /// Whether a run that an earlier daemon started goes on, as where its place in a queue is worth keeping; otherwise it
    /// is stopped and begun again from its checkpoint.
    var keepsEarlierRuns: Bool { get }

    /// Starts a worker.
    /// - Throws: if it cannot be started; ``DaemonError`` or `FileError`.
    func start(_ run: WorkerRun) async throws

    /// Where a run stands.
    func poll(_ run: WorkerRun) async throws -> WorkerState

    /// Asks a run to write its checkpoint and stop, and makes it stop if it does not in time. Returns at once; a run that
    /// is over, or unknown, stays so.
    func cancel(_ run: WorkerRun) async

    /// Waits until a run is over, also when the waiting task is cancelled: a run is ended by ``cancel(_:)`` alone.
    func end(of run: WorkerRun) async throws -> WorkerEnd
}
