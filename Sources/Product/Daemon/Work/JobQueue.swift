/// The jobs in progress, shared by the inbox, which adds, and the scheduler, which takes.
package actor JobQueue {
    /// Rung when there may be something to take.
    package nonisolated let wakeup = Wakeup()

    private var table = JobTable()
    /// Why no job is to be begun.
    private(set) var obstacle: String?
    /// The processors that running jobs may use.
    private var processors: [JobID: Int] = [:]
    /// Jobs that came with nothing left to compute: they wait for no other's end.
    private var settled: [JobID] = []
    /// Files found in the inbox that are still to be claimed.
    private var arriving = 0

    package init() {}

    /// The identifiers of all jobs.
    var identifiers: [JobID] { Array(table.entries.keys) }
    /// A line for an operator.
    package var summary: String {
        let line = arriving == 0 ? table.summary : "\(table.summary), \(arriving) in the inbox"
        return obstacle.map { "paused: \($0); \(line)" } ?? line
    }
    /// The jobs that wait for something outside them.
    package var paused: [DaemonStatus.Pause] {
        table.paused.map { DaemonStatus.Pause(job: $0.id.description, name: $0.name, reason: $0.reason) }
    }
    /// The running jobs that do not get on.
    package var stalled: [DaemonStatus.Pause] {
        table.stalled.map {
            DaemonStatus.Pause(job: $0.id.description, name: $0.name, reason: JobTable.words(silence: $0.silence))
        }
    }
    private var lastStatus: DaemonStatus?

    /// Whether a status says something new, but for its time.
    func isNews(_ status: DaemonStatus) -> Bool {
        var comparable = status
        comparable.updated = lastStatus?.updated ?? status.updated
        defer { lastStatus = status }
        return comparable != lastStatus
    }

    /// Whether there are no jobs at all.
    var isEmpty: Bool { table.entries.isEmpty }
    /// How long until the next job's time comes; nil if none is waiting.
    var delay: Duration? { table.nextMoment.map { max(.zero, $0 - .now) } }

    /// Adds a job; one that is known already stays as it is.
    package func submit(_ job: Recovery.Found) { submit([job]) }

    /// Adds jobs; those that are known already stay as they are.
    package func submit(_ jobs: [Recovery.Found]) {
        for job in jobs { table.add(job.id, job.ledger, now: .now) }
        settled += jobs.filter { !$0.needsWorker }.map(\.id)
        wakeup.wake()
    }

    /// Notes how many files in the inbox are still to be claimed.
    func note(arriving count: Int) {
        arriving = count
        wakeup.wake()
    }

    /// Takes note of why no job is to be begun; nil where nothing is in the way.
    package func setObstacle(_ reason: String?) { obstacle = reason }

    /// The next job to work on, if fewer than `workers` are running and the processors suffice for one more.
    /// - Parameters:
    ///   - all: how many processors there are.
    ///   - need: how many a job will use. One that needs more than there are is given out alone.
    package func takeNext(
        workers: Int, processors all: Int, need: (JobID) -> Int
    ) -> (id: JobID, ledger: JobLedger)? {
        guard obstacle == nil, table.runningCount < workers else { return nil }
        let used = processors.values.reduce(0, +)
        var needed = 0
        let next = table.takeNext(now: .now) { id in
            needed = need(id)
            return used == 0 || used + needed <= all
        }
        if let next { processors[next.id] = needed }
        return next
    }

    /// Takes a job out of its turn, for something that needs no processor; nil if it is running already or gone.
    package func take(_ id: JobID) -> (id: JobID, ledger: JobLedger)? { table.take(id) }

    /// Takes a job for which no worker has to run; nil if there is none.
    package func takeSettled() -> (id: JobID, ledger: JobLedger)? {
        while let id = settled.popLast() {
            if let job = table.take(id) { return job }
        }
        return nil
    }

    /// Takes note of how far a running job is.
    /// - Parameter silence: for how long it has not got on, where that is worth a word.
    package func note(_ progress: JobTable.Progress?, silence: Duration? = nil, of id: JobID) {
        let before = table.summary
        table.note(progress, silence: silence, of: id)
        if table.summary != before { wakeup.wake() }
    }

    /// Puts a running job back, to be tried again after `delay`.
    /// - Parameter pause: what must change first, if that is outside the job.
    package func putBack(_ id: JobID, _ ledger: JobLedger, after delay: Duration, pause: String? = nil) {
        processors[id] = nil
        let moment = ContinuousClock.now + delay
        table.putBack(id, ledger, pause.map { .paused(moment, reason: $0) } ?? .waiting(moment))
        wakeup.wake()
    }

    /// Removes a job that is done.
    package func remove(_ id: JobID) {
        processors[id] = nil
        table.remove(id)
        wakeup.wake()
    }
}
