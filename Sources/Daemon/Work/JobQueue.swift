/// The jobs in progress, shared by the inbox, which adds, and the scheduler, which takes.
package actor JobQueue {
    /// Rung when there may be something to take.
    package nonisolated let bell = Bell()

    private var table = JobTable()

    package init() {}

    /// The identifiers of all jobs.
    var identifiers: [JobID] { Array(table.entries.keys) }
    /// A line for an operator.
    package var summary: String { table.summary }
    /// How long until the next job's time comes; nil if none is waiting.
    var delay: Duration? { table.nextMoment.map { max(.zero, $0 - .now) } }

    /// Adds a job; one that is known already stays as it is.
    package func submit(_ job: Recovery.Found) {
        table.add(job.id, job.ledger, now: .now)
        bell.ring()
    }

    /// The next job to work on, if fewer than `workers` are running.
    package func takeNext(workers: Int) -> (id: JobID, ledger: JobLedger)? {
        table.runningCount < workers ? table.takeNext(now: .now) : nil
    }

    /// Puts a running job back, to be tried again after `delay`.
    /// - Parameter pause: what must change first, if that is outside the job.
    package func putBack(_ id: JobID, _ ledger: JobLedger, after delay: Duration, pause: String? = nil) {
        let moment = ContinuousClock.now + delay
        table.putBack(id, ledger, pause.map { .paused(moment, reason: $0) } ?? .waiting(moment))
        bell.ring()
    }

    /// Removes a job that is done.
    package func remove(_ id: JobID) {
        table.remove(id)
        bell.ring()
    }
}
