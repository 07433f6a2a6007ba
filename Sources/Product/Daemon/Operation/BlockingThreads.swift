import Dispatch
import Synchronization
package import SystemPackage

/// Threads that may wait for the disk: all tasks of the daemon run on them, so that none of the few threads that Swift's
/// tasks share is ever kept by a slow or dead file system.
///
/// What is run with this as its task executor stays on these threads, and so do all its child tasks and the actors that it
/// calls. An unstructured task does not: it has to be given its executor.
///
/// The threads are started as they are needed, and stay as long as the process.
package final class BlockingThreads: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var threads = 0
        /// The threads that wait for a job, or are about to.
        var idle = 0
    }

    /// What the system's tools call each thread.
    package static let name = "dkpd-files"

    private let maximum: Int
    private let state = Mutex(State())
    private let arrivals = DispatchSemaphore(value: 0)

    /// Starts the first thread.
    /// - Parameter maximum: how many there may be; what comes while all are busy waits its turn.
    /// - Throws: where the system gives no thread.
    package init(maximum: Int = 64) throws(Errno) {
        self.maximum = maximum
        state.withLock { state in (state.threads, state.idle) = (1, 1) }
        try start()
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isShort = state.withLock { state in
            state.jobs.append(job)
            guard state.jobs.count > state.idle, state.threads < maximum else { return false }
            state.threads += 1
            state.idle += 1
            return true
        }
        arrivals.signal()
        guard isShort else { return }
        do throws(Errno) {
            try start()
        } catch {
            // Those that there are do it, one after the other.
            state.withLock { state in
                state.threads -= 1
                state.idle -= 1
            }
        }
    }

    private func start() throws(Errno) {
        try SystemThread.start(Self.name) { [self] in
            while true {
                arrivals.wait()
                let job = state.withLock { state in
                    state.idle -= 1
                    return state.jobs.removeFirst()
                }
                job.runSynchronously(on: asUnownedTaskExecutor())
                state.withLock { $0.idle += 1 }
            }
        }
    }
}
