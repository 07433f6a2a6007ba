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

    /// How far a running job is.
    package struct Progress: Sendable, Equatable {
        /// The share that is done, 0 to 1.
        package var fraction: Double
        /// Seconds still to go, if that can be told yet.
        package var eta: Double?

        package init(fraction: Double, eta: Double?) {
            self.fraction = fraction
            self.eta = eta
        }
    }

    /// A job.
    package struct Entry: Sendable, Equatable {
        /// What is remembered of it.
        package var ledger: JobLedger
        /// Where it stands.
        package var state: State
        /// How far it is, while it is running.
        package var progress: Progress?
        /// For how long it has not got on, where that is worth a word.
        package var silence: Duration?
    }

    /// The jobs by identifier.
    package private(set) var entries: [JobID: Entry] = [:]
    /// Those not running, in the order of their turns: higher priorities first, then the oldest.
    private var queue: [JobID] = []
    /// Those running, and those paused: few, and looked at often.
    private var running: Set<JobID> = []
    private var pausedJobs: Set<JobID> = []

    package init() {}

    /// Adds a job to be worked on at once; one that is known already stays as it is.
    package mutating func add(_ id: JobID, _ ledger: JobLedger, now: ContinuousClock.Instant) {
        guard entries[id] == nil else { return }
        var ledger = ledger
        // What an earlier daemon told is told again.
        ledger.reason = nil
        entries[id] = Entry(ledger: ledger, state: .waiting(now))
        enqueue(id)
    }

    /// The first job whose time has come, which is running from now on.
    /// - Parameter fits: whether there is room for it now; none overtakes one for which there is not.
    package mutating func takeNext(
        now: ContinuousClock.Instant, if fits: (JobID) -> Bool = { _ in true }
    ) -> (id: JobID, ledger: JobLedger)? {
        guard let id = queue.first(where: { moment(of: $0) <= now }), fits(id) else { return nil }
        return take(id)
    }

    /// Takes a job out of its turn; nil if it is running already or unknown.
    package mutating func take(_ id: JobID) -> (id: JobID, ledger: JobLedger)? {
        guard let index = queue.firstIndex(of: id) else { return nil }
        queue.remove(at: index)
        guard var entry = entries[id] else { return nil }
        running.insert(id)
        pausedJobs.remove(id)
        entry.state = .running
        entries[id] = entry
        return (id, entry.ledger)
    }

    /// Takes note of how far a running job is.
    /// - Parameter silence: for how long it has not got on, where that is worth a word.
    package mutating func note(_ progress: Progress?, silence: Duration? = nil, of id: JobID) {
        guard entries[id]?.state == .running else { return }
        if let progress { entries[id]?.progress = progress }
        entries[id]?.silence = silence
    }

    /// Puts a running job back.
    package mutating func putBack(_ id: JobID, _ ledger: JobLedger, _ state: State) {
        guard entries[id]?.state == .running else { return }
        entries[id] = Entry(ledger: ledger, state: state)
        running.remove(id)
        if case .paused = state { pausedJobs.insert(id) }
        enqueue(id)
    }

    /// Removes a job that is done.
    package mutating func remove(_ id: JobID) {
        entries[id] = nil
        running.remove(id)
        pausedJobs.remove(id)
        queue.removeAll { $0 == id }
    }

    /// The moment when the next job's time comes, or came; nil if none is waiting.
    package var nextMoment: ContinuousClock.Instant? {
        let now = ContinuousClock.now
        var next: ContinuousClock.Instant?
        for id in queue {
            let moment = moment(of: id)
            // One whose time has come is soon enough: with thousands waiting, the others need not be looked at.
            if moment <= now { return moment }
            next = min(next ?? moment, moment)
        }
        return next
    }

    /// How many jobs are running.
    package var runningCount: Int { entries.count - queue.count }

    /// The jobs that wait for something outside them, oldest first.
    package var paused: [(id: JobID, name: String, reason: String)] {
        pausedJobs.sorted().compactMap { id in
            guard let entry = entries[id], case .paused(_, let reason) = entry.state else { return nil }
            return (id, entry.ledger.name, reason)
        }
    }

    /// The running jobs that do not get on, oldest first.
    package var stalled: [(id: JobID, name: String, silence: Duration)] {
        running.sorted().compactMap { id in
            guard let entry = entries[id], let silence = entry.silence else { return nil }
            return (id, entry.ledger.name, silence)
        }
    }

    /// A line for an operator: "1 running: cat.png 43 %, 2 waiting, 1 paused: no space left, ETA 3 min". The time is that
    /// of the last of the running jobs to end.
    package var summary: String {
        let running = running.sorted().compactMap { entries[$0] }
        let paused = paused
        let waiting = entries.count - running.count - paused.count
        var parts: [String] = []
        if let first = running.first {
            let percent = first.progress.map { " \(Int(min(max($0.fraction, 0), 1) * 100)) %" } ?? ""
            parts.append("\(running.count) running: \(first.ledger.name)\(percent)\(running.count > 1 ? ", ..." : "")")
        }
        if let first = stalled.first { parts.append("\(first.name): \(Self.words(silence: first.silence))") }
        if waiting > 0 { parts.append("\(waiting) waiting") }
        if let first = paused.first { parts.append("\(paused.count) paused: \(first.reason)") }
        let etas = running.filter { $0.silence == nil }.compactMap(\.progress?.eta)
        if let eta = etas.max() { parts.append("ETA \(Self.words(seconds: eta))") }
        return parts.isEmpty ? "idle" : parts.joined(separator: ", ")
    }

    /// "40 s", "3 min", "2 h 5 min".
    package static func words(seconds: Double) -> String {
        let seconds = seconds.isFinite ? min(max(seconds, 0), 1e8) : 0
        if seconds < 59.5 { return "\(Int(seconds.rounded())) s" }
        let minutes = Int((seconds / 60).rounded())
        return minutes < 60 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
    }

    /// "no progress for 12 min".
    package static func words(silence: Duration) -> String {
        "no progress for \(words(seconds: Double(silence.components.seconds)))"
    }

    private func moment(of id: JobID) -> ContinuousClock.Instant {
        switch entries[id]?.state {
        case .waiting(let moment), .paused(let moment, _): moment
        case .running, nil: .now
        }
    }

    private func turn(of id: JobID) -> (priority: Int, id: JobID) { (-(entries[id]?.ledger.priority ?? 0), id) }

    private mutating func enqueue(_ id: JobID) {
        let turn = turn(of: id)
        var range = 0..<queue.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if self.turn(of: queue[middle]) < turn {
                range = middle + 1..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        queue.insert(id, at: range.lowerBound)
    }
}
