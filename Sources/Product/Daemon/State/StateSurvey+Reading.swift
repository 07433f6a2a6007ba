package import Files
package import Foundation
import Jobs
import SystemPackage

extension StateSurvey {
    /// Reads the folders.
    /// - Parameters:
    ///   - recent: how many results and rejections are named.
    ///   - now: what tells a worker's fresh word from an old one, where no daemon is up.
    /// - Throws: ``FileError`` if a folder cannot be listed.
    package init(
        _ folder: StateFolder, files: some FileSystem = LocalFileSystem(), recent: Int = 5, now: Date = Date()
    ) throws(FileError) {
        let reader = Reader(folder: folder, files: files, now: now)
        self.folder = folder.root.string
        daemon = reader.daemon
        jobs = try reader.jobs()
        results = try reader.endings(in: folder.outbox, recent: recent) { _ in nil }
        rejections = try reader.endings(in: folder.rejected, recent: recent, reason: reader.reason)
        counts = Counts()
        counts.inbox = try reader.dropped(in: folder.inbox)
        counts.done = try reader.names(in: folder.outbox).count
        counts.rejected = try reader.names(in: folder.rejected).count
        for job in jobs {
            switch job.state {
            case .claimed: counts.claimed += 1
            case .waiting: counts.waiting += 1
            case .running: counts.running += 1
            case .paused: counts.paused += 1
            }
        }
    }
}

/// Reads one folder at one moment.
private struct Reader<Files: FileSystem> {
    let folder: StateFolder
    let files: Files
    let now: Date
    let holder: String?
    let status: DaemonStatus?

    /// A worker writes its progress once a second, or once a step where that takes longer.
    private let freshness = 60.0

    init(folder: StateFolder, files: Files, now: Date) {
        self.folder = folder
        self.files = files
        self.now = now
        holder = StateLock.holder(folder)
        status = DaemonStatus.read(folder, files)
    }

    var daemon: StateSurvey.Daemon {
        guard let holder else { return StateSurvey.Daemon(isUp: false) }
        var reason = status?.reason
        // On a full disk the daemon may not have been able to write down that it is full.
        if let floor = status?.freeSpaceFloor, let free = DiskGuard.freeSpace(at: folder.jobs), free < floor {
            reason = "less free disk space (\(DiskGuard.words(free))) than free_space_floor (\(DiskGuard.words(floor)))"
        }
        return StateSurvey.Daemon(isUp: true, process: holder, reason: reason, line: status?.line)
    }

    func jobs() throws(FileError) -> [StateSurvey.Job] {
        var jobs: [StateSurvey.Job] = []
        for entry in try files.entries(folder.jobs) {
            let text = entry.string
            if let id = JobID(text) {
                if let job = job(id) { jobs.append(job) }
            } else if text.hasPrefix("."), text.hasSuffix(".new"), let id = JobID(String(text.dropFirst().dropLast(4)))
            {
                let claim = folder.claim(id)
                let dropped = try? files.entries(claim.appending(JobFiles.dropped)).first?.string
                let name = dropped ?? JobFiles.originalName(of: claim) ?? "?"
                jobs.append(.init(id: id.description, name: name, state: .claimed))
            }
        }
        func rank(_ state: StateSurvey.JobState) -> Int {
            switch state {
            case .running: 0
            case .paused: 1
            case .waiting: 2
            case .claimed: 3
            }
        }
        return jobs.sorted { (rank($0.state), $0.id) < (rank($1.state), $1.id) }
    }

    /// A job; nil if its directory is gone again.
    private func job(_ id: JobID) -> StateSurvey.Job? {
        let directory = folder.job(id)
        guard let found = (try? files.status(directory)).flatMap({ $0 }), found.kind == .directory else { return nil }
        if let owner = (try? files.status(folder.jobs))??.owner, owner != found.owner {
            let other = UserAccount(found.owner).name
            return StateSurvey.Job(
                id: id.description, name: "?", state: .paused,
                reason: "it belongs to another user, \(other), and so the daemon leaves it alone")
        }
        let ledger = try? JobLedger.read(from: directory, files)
        let name = ledger?.name ?? JobFiles.originalName(of: directory) ?? "?"
        let progress = try? JobJSON.decode(
            JobProgress.self, fromFile: directory.appending(JobFiles.progress).string)
        var job = StateSurvey.Job(id: id.description, name: name, state: .waiting)
        job.failures = ledger?.failures ?? 0
        job.reason = ledger?.reason
        if let progress, progress.total > 0 { (job.step, job.total) = (progress.step, progress.total) }
        switch ledger?.state {
        case "running":
            let isFresh = progress.map { now.timeIntervalSince($0.updated) < freshness } ?? false
            if holder != nil || isFresh {
                job.state = .running
                (job.rate, job.eta) = (progress?.rate, progress?.eta)
            } else {
                job.reason = "the daemon is down"
            }
        case "paused": job.state = .paused
        default: break
        }
        if holder != nil, let pause = status?.paused.first(where: { $0.job == id.description }) {
            (job.state, job.reason) = (.paused, pause.reason)
        }
        if job.state == .running, let silence = silence(of: id, progress) {
            (job.reason, job.rate, job.eta) = (silence, nil, nil)
        }
        return job
    }

    /// That a running job does not get on, and for how long: by the word of the daemon, which watches it, else by the time
    /// of the worker's last.
    private func silence(of id: JobID, _ progress: JobProgress?) -> String? {
        if holder != nil, let stall = status?.stalled?.first(where: { $0.job == id.description }) {
            return stall.reason
        }
        guard let progress else { return nil }
        let seconds = now.timeIntervalSince(progress.updated)
        guard seconds > max(freshness, progress.rate.map { 20 / $0 } ?? 0) else { return nil }
        return JobTable.words(silence: .seconds(min(seconds, 1e9)))
    }

    /// How many files in the inbox, or a sub-folder of it, are called as work is.
    func dropped(in place: FilePath, isInbox: Bool = true) throws(FileError) -> Int {
        var count = 0
        for name in try files.entries(place) where InboxRules.kind(of: name) == .work {
            switch (try? files.status(place.appending(name)))??.kind {
            case .regular: count += 1
            case .directory where isInbox: count += (try? dropped(in: place.appending(name), isInbox: false)) ?? 0
            default: break
            }
        }
        return count
    }

    /// The visible names in a folder.
    func names(in place: FilePath) throws(FileError) -> [FilePath.Component] {
        try files.entries(place).filter { !$0.string.hasPrefix(".") }
    }

    func endings(
        in place: FilePath, recent: Int, reason: (FilePath) -> String?
    ) throws(FileError) -> [StateSurvey.Ending] {
        let all = try names(in: place).compactMap { name in
            (try? files.status(place.appending(name))).flatMap { $0 }.map { (name, $0.changed) }
        }
        return all.sorted { $0.1 > $1.1 }.prefix(recent).map { name, changed in
            StateSurvey.Ending(
                name: name.string, time: Date(timeIntervalSince1970: Double(changed) / 1e9),
                reason: reason(place.appending(name)))
        }
    }

    func reason(_ rejection: FilePath) -> String? { RejectionReport.read(from: rejection, files)?.message }
}
