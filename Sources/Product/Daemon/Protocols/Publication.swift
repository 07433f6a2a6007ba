package import Files
import Foundation
package import Logging
package import SystemPackage

/// What `error.json` says of a rejected image.
package struct RejectionReport: Sendable, Codable, Equatable {
    /// The job's identifier.
    package var job: String
    /// The dropped file's name, as text.
    package var name: String
    /// The job's place in the queue; nil counts as 0.
    package var priority: Int?
    /// A word for programs.
    package var code: String
    /// A sentence for people.
    package var message: String
    /// The runs of the worker that failed.
    package var attempts: [JobLedger.Attempt]

    package init(
        job: String, name: String, priority: Int? = nil, code: String, message: String, attempts: [JobLedger.Attempt]
    ) {
        self.job = job
        self.name = name
        self.priority = priority
        self.code = code
        self.message = message
        self.attempts = attempts
    }

    /// Reads a report; a priority that is out of range counts as the nearest that is in it.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        job = try container.decode(String.self, forKey: .job)
        name = try container.decode(String.self, forKey: .name)
        priority = try container.decodeIfPresent(Int.self, forKey: .priority)?.clamped(to: ImageSettings.priorities)
        code = try container.decode(String.self, forKey: .code)
        message = try container.decode(String.self, forKey: .message)
        attempts = try container.decode([JobLedger.Attempt].self, forKey: .attempts)
    }

    /// The report of a rejected image; nil if it has none that can be read.
    package static func read(from rejection: FilePath, _ files: some FileSystem) -> RejectionReport? {
        guard let bytes = try? files.read(rejection.appending(JobFiles.error), limit: 1 << 20) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try? decoder.decode(RejectionReport.self, from: Data(bytes))
    }
}

/// Moves finished and rejected jobs to where people look for them, once each.
///
/// Both take the job from every worker that may still be alive, once it is decided that no other follows: its lease is
/// removed, and nothing that it does from then on reaches the job (see `JobLease`).
///
/// Publishing:
/// 1. what the result lacks of the input and the log is renamed into it;
/// 2. `jobs/ID/result` is renamed to the first free of `outbox/NAME`, `outbox/NAME-2`, ...: from here on it is
///    published;
/// 3. `jobs/ID` is renamed to `jobs/.ID.done`, and removed.
///
/// Rejecting:
/// 1. `jobs/ID/rejection/error.json` is written: the decision;
/// 2. the log, what was asked, then the input, are renamed into `rejection`;
/// 3. `jobs/ID/rejection` is renamed to the first free of `rejected/NAME`, ...;
/// 4. as 3 above.
///
/// After a crash the same is simply done again: ``JobPhase`` tells which of the two it was and whether the last rename
/// has happened, and every step that has been done finds nothing to do.
package struct Publication: Sendable {
    private let folder: StateFolder
    private let files: any FileSystem
    private let logger: Logger?

    /// - Parameter logger: where it is said what of a job that is done cannot be removed.
    package init(_ folder: StateFolder, files: any FileSystem, logger: Logger? = nil) {
        self.folder = folder
        self.files = files
        self.logger = logger
    }

    /// Publishes a finished job.
    /// - Parameter name: the dropped file's name.
    /// - Returns: the result's place.
    package func publish(_ id: JobID, name: String) throws(FileError) -> FilePath {
        let job = folder.job(id)
        let result = job.appending(JobFiles.result)
        try revokeLeases(of: job)
        try include(job.appending(JobFiles.log), in: result.appending(JobFiles.log))
        if let input = try JobFiles.input(of: job, files), let name = input.lastComponent {
            try include(input, in: result.appending(name))
        }
        try files.synchronise(result)
        try files.synchronise(job)
        let place = try moveOut(result, to: folder.outbox, name: name)
        try retire(id)
        return place
    }

    /// Decides to reject a job and completes it.
    /// - Returns: the place of what is left of it.
    package func reject(_ id: JobID, report: RejectionReport) throws(FileError) -> FilePath {
        let job = folder.job(id)
        let rejection = job.appending(JobFiles.rejection)
        try files.ensureDirectory(rejection)
        try files.write(JobLedger.encode(report), to: rejection.appending(JobFiles.error))
        // Before the image goes there.
        try files.synchronise(job)
        return try completeRejection(id, name: report.name)
    }

    /// Completes a rejection that has been decided.
    /// - Parameter name: the dropped file's name, should the decision itself not tell.
    package func completeRejection(_ id: JobID, name: String) throws(FileError) -> FilePath {
        let job = folder.job(id)
        let rejection = job.appending(JobFiles.rejection)
        let name = RejectionReport.read(from: rejection, files)?.name ?? name
        try revokeLeases(of: job)
        let log = job.appending(JobFiles.log)
        let logTarget = rejection.appending(JobFiles.log)
        if try files.status(log) != nil {
            try files.move(log, to: logTarget)
        } else if try files.status(logTarget) == nil {
            try files.write([], to: logTarget)
        }
        // With these it can be tried again as it was asked for.
        for name in [JobFiles.record, JobFiles.settings] where try files.status(job.appending(name)) != nil {
            try files.move(job.appending(name), to: rejection.appending(name))
        }
        let original = rejection.appending(Self.originalName(for: name))
        if let input = try JobFiles.input(of: job, files) { try files.move(input, to: original) }
        // A job that was born rejected still has its file as it was dropped.
        let dropped = job.appending(JobFiles.dropped)
        if try files.status(dropped) != nil {
            for entry in try files.entries(dropped) { try files.move(dropped.appending(entry), to: original) }
        }
        try files.synchronise(rejection)
        let place = try moveOut(rejection, to: folder.rejected, name: name)
        try retire(id)
        return place
    }

    /// Removes the directory of a job that has been published, and what was asked concerning it. The job is over with the rename: what cannot be removed
    /// (another user's directory) is left to ``removeRetired()``, with a line in the log.
    package func retire(_ id: JobID) throws(FileError) {
        let retired = folder.retired(id)
        // Whatever somebody may have made of that name does not hold the job up.
        try? files.removeTree(folder.cancellation(id))
        if try files.status(folder.job(id)) != nil {
            do throws(FileError) {
                try files.rename(folder.job(id), to: retired)
            } catch {
                // Something has that name and cannot be removed. Without input and result the directory counts as
                // finished, so it may as well be removed where it is.
                try files.removeTree(folder.job(id))
            }
        }
        do throws(FileError) {
            try files.removeTree(retired)
        } catch {
            logger?.warning(
                "a job is done, but its directory cannot be removed; tried again at the next start",
                metadata: ["job": "\(id)", "reason": "\(error)"])
        }
    }

    /// Removes what a crash left of jobs that had been published.
    /// - Returns: why some cannot be removed.
    package func removeRetired() throws(FileError) -> [FileError] {
        var failures: [FileError] = []
        for entry in try files.entries(folder.jobs) {
            let text = entry.string
            guard text.hasPrefix("."), text.hasSuffix(".done"), JobID(String(text.dropFirst().dropLast(5))) != nil
            else { continue }
            do throws(FileError) { try files.removeTree(folder.jobs.appending(entry)) } catch { failures.append(error) }
        }
        return failures
    }

    /// Takes a job from its workers: each lease is renamed away, which is what counts, then removed.
    private func revokeLeases(of job: FilePath) throws(FileError) {
        for name in try files.entries(job) where name.string.hasPrefix(JobFiles.leasePrefix) {
            let revoked = job.appending(".revoked-\(name.string)")
            try files.removeTree(revoked)
            try files.rename(job.appending(name), to: revoked)
        }
        for name in try files.entries(job) where name.string.hasPrefix(".revoked-") {
            // What stays goes with the job.
            try? files.removeTree(job.appending(name))
        }
    }

    /// Whether a name is one of those that ``originalName(for:)`` gives to images.
    static func isOriginalName(_ name: FilePath.Component) -> Bool {
        originalName(for: name.string) == name.string && InboxRules.kind(of: name) == .work
    }

    /// "original" with the extension of the dropped file's name, if that is a plain one.
    static func originalName(for name: String) -> String {
        guard let dot = name.lastIndex(of: ".") else { return "original" }
        let suffix = name[name.index(after: dot)...]
        let isPlain =
            (1...8).contains(suffix.utf8.count)
            && suffix.utf8.allSatisfy { byte in
                48...57 ~= byte || 65...90 ~= byte || 97...122 ~= byte
            }
        return isPlain ? "original.\(suffix)" : "original"
    }

    /// Renames a file into a result unless the result has one of its own; then it is removed.
    private func include(_ path: FilePath, in place: FilePath) throws(FileError) {
        guard try files.status(path) != nil else { return }
        if try files.status(place) == nil {
            try files.move(path, to: place)
        } else {
            try files.removeFile(path)
        }
    }

    private func moveOut(_ directory: FilePath, to folder: FilePath, name: String) throws(FileError) -> FilePath {
        let base = ResultName.make(fromText: name)
        var number = 1
        // Who collects from there may take away what is in it too.
        try files.share(directory, with: folder)
        while true {
            let place = folder.appending(ResultName.numbered(base, number))
            do throws(FileError) {
                try files.renameExclusively(directory, to: place)
            } catch {
                guard error.isTaken else { throw error }
                number += 1
                continue
            }
            try files.synchronise(folder)
            try files.synchronise(directory.removingLastComponent())
            return place
        }
    }
}
