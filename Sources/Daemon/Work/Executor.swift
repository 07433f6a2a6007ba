import SystemPackage

/// One run of a worker on a job.
package struct WorkerRun: Sendable {
    /// The job.
    package var id: JobID
    /// Its directory.
    package var directory: FilePath
    /// How many compute threads it may use.
    package var threads: Int

    package init(id: JobID, directory: FilePath, threads: Int) {
        self.id = id
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

    package var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .killed(let signal): "killed by signal \(signal)"
        }
    }
}

/// A way to run workers: here, or some day on a cluster. A worker may be killed and started again at any moment, but
/// no two may work on a job at once.
package protocol Executor: Sendable {
    /// Runs a worker to its end. When the task is cancelled the worker is asked to stop, given time to write its
    /// checkpoint, and made to stop after that; the call returns when it has ended, in every case.
    /// - Throws: if it cannot be started; ``DaemonError``.
    func run(_ run: WorkerRun) async throws -> WorkerEnd

    /// Makes sure that nothing works on the job any more that an earlier daemon, killed in the midst, had started.
    /// - Returns: false if something does and could not be stopped.
    func endLeftover(_ run: WorkerRun) async throws -> Bool
}
