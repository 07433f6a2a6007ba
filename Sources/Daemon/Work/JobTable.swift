/// The jobs in progress as the daemon sees them: a value, changed by events and asked what to do next.
package struct JobTable: Sendable {
    /// Where a job stands.
    package enum State: Sendable, Equatable {
        /// To be worked on, not before that moment.
        case waiting(ContinuousClock.Instant)
        /// Being worked on.
        case running
        /// Something outside the job must change first, as the reason says; tried again at that moment.
        case paused(ContinuousClock.Instant, reason: String)
    }

    /// A job.
    package struct Entry: Sendable, Equatable {
        /// What is remembered of it.
        package var ledger: JobLedger
        /// Where it stands.
        package var state: State
    }

    /// The jobs by identifier.
    package private(set) var entries: [JobID: Entry] = [:]
    /// Those not running, oldest first.
    private var queue: [JobID] = []

    package init() {}

    /// Adds a job to be worked on at once; one that is known already stays as it is.
    package mutating func add(_ id: JobID, _ ledger: JobLedger, now: ContinuousClock.Instant) {
        guard entries[id] == nil else { return }
        entries[id] = Entry(ledger: ledger, state: .waiting(now))
        enqueue(id)
    }

    /// The oldest job whose time has come, which is running from now on.
    package mutating func takeNext(now: ContinuousClock.Instant) -> (id: JobID, ledger: JobLedger)? {
        guard let index = queue.firstIndex(where: { moment(of: $0) <= now }) else { return nil }
        let id = queue.remove(at: index)
        guard var entry = entries[id] else { return nil }
        entry.state = .running
        entries[id] = entry
        return (id, entry.ledger)
    }

    /// Puts a running job back.
    package mutating func putBack(_ id: JobID, _ ledger: JobLedger, _ state: State) {
        guard entries[id]?.state == .running else { return }
        entries[id] = Entry(ledger: ledger, state: state)
        enqueue(id)
    }

    /// Removes a job that is done.
    package mutating func remove(_ id: JobID) {
        entries[id] = nil
        queue.removeAll { $0 == id }
    }

    /// The moment when the next job's time comes; nil if none is waiting.
    package var nextMoment: ContinuousClock.Instant? { queue.lazy.map(moment(of:)).min() }

    /// How many jobs are running.
    package var runningCount: Int { entries.count - queue.count }

    /// A line for an operator: "1 running: cat.png; 2 waiting; 1 paused: no space left".
    package var summary: String {
        var running: [String] = []
        var paused: [String] = []
        for id in entries.keys.sorted() {
            guard let entry = entries[id] else { continue }
            switch entry.state {
            case .running: running.append(entry.ledger.name)
            case .paused(_, let reason): paused.append(reason)
            case .waiting: break
            }
        }
        let waiting = entries.count - running.count - paused.count
        var parts: [String] = []
        if let first = running.first {
            parts.append("\(running.count) running: \(first)\(running.count > 1 ? ", ..." : "")")
        }
        if waiting > 0 { parts.append("\(waiting) waiting") }
        if let first = paused.first { parts.append("\(paused.count) paused: \(first)") }
        return parts.isEmpty ? "idle" : parts.joined(separator: "; ")
    }

    private func moment(of id: JobID) -> ContinuousClock.Instant {
        switch entries[id]?.state {
        case .waiting(let moment), .paused(let moment, _): moment
        case .running, nil: .now
        }
    }

    private mutating func enqueue(_ id: JobID) {
        let index = queue.lastIndex { $0 < id }.map { $0 + 1 } ?? 0
        queue.insert(id, at: index)
    }
}
