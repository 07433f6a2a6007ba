import Failures
package import Files
import Foundation
package import Jobs
package import SystemPackage

/// Takes files out of the inbox.
///
/// A claim is these steps, each atomic; the second is the one that accepts the file:
///
/// 1. `jobs/.ID.new/` is made, in it `dropped/`, and what concerns the file: `settings.yaml`, its own settings, with
///    `side/NAME/`, which keeps the name that they had, or `unclear.txt`, if it cannot be told which are meant; and, if
///    it lies in a sub-folder, `folder.yaml`, that folder's settings, and `folder/FOLDER/`, which keeps its name.
/// 2. The file is renamed from the inbox to `jobs/.ID.new/dropped/NAME`: its own name is kept by the rename itself. Its
///    bytes are synchronised once, here, as whoever dropped it need not have done so.
/// 3. The settings' own file is removed from the inbox.
/// 4. `.ID.new` is made a job: the job's record, if there is something to remember, and `job.json` are written into it, and
///    the file is renamed to the name that a job's input has. Settings that cannot be used make a job that is born
///    rejected: `rejection/error.json` is written, and 6 follows.
/// 5. What only the claim needed is removed: everything that 1 has made.
/// 6. `.ID.new` is renamed to `jobs/ID`.
///
/// After a crash, ``finish(_:)`` is called for each `.ID.new`, and goes on where the files show that it stopped:
///
/// - a file in `dropped/`: on with 3;
/// - nothing there, but an input: on with 5;
/// - neither: the crash came before 2, and the file is still in the inbox; what there is of `.ID.new` is removed.
package struct Claim: Sendable {
    /// What claims go by.
    package struct Terms: Sendable {
        /// The settings of files that have none of their own.
        package var defaults = RestorationSettings()
        /// Larger inputs are rejected.
        package var limits = InputLimits()
        /// What becomes of an image that has been restored before with the same settings.
        package var duplicates = DaemonSettings.Duplicates.process

        package init(
            defaults: RestorationSettings = RestorationSettings(), limits: InputLimits = InputLimits(),
            duplicates: DaemonSettings.Duplicates = .process
        ) {
            self.defaults = defaults
            self.limits = limits
            self.duplicates = duplicates
        }

        /// The terms that the daemon's settings amount to.
        init(_ settings: DaemonSettings) {
            defaults = settings.restoration
            if defaults.threads == nil { defaults.threads = settings.threadsPerWorker }
            limits = settings.inputLimits
            duplicates = settings.duplicates
        }
    }

    let folder: StateFolder
    let files: any FileSystem
    private let results: FinishedResults
    private let terms: @Sendable () -> Terms

    /// - Parameter terms: asked anew for each claim.
    package init(_ folder: StateFolder, files: any FileSystem, terms: @escaping @Sendable () -> Terms) {
        self.folder = folder
        self.files = files
        self.terms = terms
        results = FinishedResults(folder, files: files)
    }

    /// Claims on terms that do not change.
    package init(
        _ folder: StateFolder, files: any FileSystem, defaults: RestorationSettings, limits: InputLimits = InputLimits()
    ) {
        let terms = Terms(defaults: defaults, limits: limits)
        self.init(folder, files: files) { terms }
    }

    /// Claims one file of the inbox itself.
    package func claim(_ name: FilePath.Component, as id: JobID) throws -> Bool { try claim(InboxItem(name), as: id) }

    /// Claims one file of the inbox.
    /// - Returns: false if the file, or its folder's settings, were gone or no regular file any more, and all is as it was.
    /// - Throws: ``FileError`` or what else keeps a job from being made. The file is then in the inbox, or in the claim,
    ///   which ``finish(_:)`` completes later; ``unfinished()`` lists those.
    package func claim(_ item: InboxItem, as id: JobID) throws -> Bool {
        guard let name = item.folder else { return try claim(item, from: folder.inbox, as: id) }
        let place = folder.inbox.appending(name)
        let held: DirectoryHandle
        do throws(FileError) {
            held = try DirectoryHandle(place)
        } catch {
            if error.isMissing { return false }
            throw error
        }
        do {
            return try claim(item, from: held.path, as: id)
        } catch let error as FileError {
            throw error.relocated(from: held.path, to: place)
        }
    }

    private func claim(_ item: InboxItem, from place: FilePath, as id: JobID) throws -> Bool {
        let claim = folder.claim(id)
        let dropped = claim.appending(JobFiles.dropped)
        let source = place.appending(item.name)
        let target = dropped.appending(item.name)
        do throws(FileError) {
            try files.makeDirectory(claim)
            try files.makeDirectory(dropped)
            try keepOrigin(of: item, in: claim)
            guard try keepSettings(of: item, from: place, in: claim) else {
                try abandon(claim)
                return false
            }
            // The way to the file's new place must have reached the disk before the file takes it.
            try files.synchronise(claim)
            try files.synchronise(folder.jobs)
            try files.renameExclusively(source, to: target)
        } catch {
            try abandon(claim)
            if error.isMissing && error.path == source { return false }
            throw error
        }
        // The name may have come to mean another thing since it was looked at: only a regular file is work.
        guard try files.status(target)?.kind == .regular else {
            try files.renameExclusively(target, to: source)
            try abandon(claim)
            return false
        }
        // Whoever dropped the file need not have synchronised it; from here on it is ours to keep.
        try files.synchronise(target)
        try files.synchronise(dropped)
        try finish(id)
        return true
    }

    /// Completes a claim from wherever it stopped.
    package func finish(_ id: JobID) throws {
        let claim = folder.claim(id)
        let dropped = claim.appending(JobFiles.dropped)
        guard try files.status(dropped) != nil, let name = try files.entries(dropped).first else {
            return try hasInput(claim) ? complete(id) : abandon(claim)
        }
        let item = InboxItem(name, in: try origin(of: claim))
        let claimed = dropped.appending(name)
        guard let status = try files.status(claimed), status.kind == .regular else {
            try putBack(claimed, item)
            return try abandon(claim)
        }
        try removeSettings(of: item, keptIn: claim)
        let path = try renameToText(claimed, name)
        let terms = terms()
        do {
            try terms.limits.check(path, called: item.text, size: status.size, files)
            if let reason = try unclearSettings(in: claim) { throw SettingsError.malformed(reason, source: item.text) }
            var settings = try settings(of: item, keptIn: claim, defaults: terms.defaults)
            settings.restoration.locateWeights(in: folder.weights.string)
            let input = try read(path, status)
            if terms.duplicates == .skip, let earlier = try results.result(of: input, settings.restoration) {
                let message = "the same image was restored with the same settings before: \(earlier.readable)"
                return try reject(claim, as: id, item, code: "duplicate", message: message)
            }
            if settings.priority != 0 {
                var ledger = JobLedger(name: item.text, claimed: Date())
                ledger.priority = settings.priority
                try ledger.write(to: claim, files)
            }
            try JobDirectory.prepare(
                claim, input: input, at: path, id: id.description, originalName: item.text,
                settings: settings.restoration, files)
        } catch let error as FileError where error.code == .tooLarge {
            return try reject(claim, as: id, item, code: error.name, message: error.message)
        } catch let error as SettingsError {
            return try reject(claim, as: id, item, code: error.name, message: error.message)
        }
        try complete(id)
    }

    /// The claims that a crash or a full disk left unfinished.
    package func unfinished() throws(FileError) -> [JobID] {
        try files.entries(folder.jobs).compactMap { entry in
            let text = entry.string
            guard text.hasPrefix("."), text.hasSuffix(".new") else { return nil }
            return JobID(String(text.dropFirst().dropLast(4)))
        }.sorted()
    }

    /// Reads a claimed file, and once more where somebody who still had it open has changed it meanwhile. (Whoever does so
    /// later has his image refused by the worker, which compares.)
    private func read(_ path: FilePath, _ before: FileStatus) throws -> JobInput {
        let input = try JobInput(path)
        guard let after = try files.status(path), after.size != before.size || after.modified != before.modified else {
            return input
        }
        return try JobInput(path)
    }

    /// Whether a claim has been made a job but for its name.
    private func hasInput(_ claim: FilePath) throws(FileError) -> Bool {
        guard let input = try JobFiles.input(of: claim, files) else { return false }
        return try files.status(input)?.kind == .regular
    }

    /// Gives a claim that has been made a job its name.
    private func complete(_ id: JobID) throws(FileError) {
        let claim = folder.claim(id)
        try removeNotes(in: claim)
        try files.synchronise(claim)
        try files.rename(claim, to: folder.job(id))
        try files.synchronise(folder.jobs)
    }

    /// Removes a claim that holds no file. Never a whole tree: one that should still be there must survive a mistake here.
    private func abandon(_ claim: FilePath) throws(FileError) {
        try removeNotes(in: claim)
        for name in [JobFiles.record, JobLedger.fileName] { try remove(name, in: claim) }
        try files.removeDirectory(claim)
    }

    /// Removes what only the claim needed.
    private func removeNotes(in claim: FilePath) throws(FileError) {
        for name in [JobFiles.settings, ClaimFiles.folderSettings, ClaimFiles.unclear] { try remove(name, in: claim) }
        try files.removeDirectory(claim.appending(JobFiles.dropped))
        try removeKeptNames(in: claim)
    }

    /// Removes a file that was written, perhaps not to its end.
    private func remove(_ name: String, in claim: FilePath) throws(FileError) {
        try files.removeFile(claim.appending(name))
        try files.removeFile(claim.appending(DurableFile.temporaryName(of: name, .fixed)))
    }

    /// Gives a claimed file whose name is no UTF-8 one that is: from here on paths travel as text.
    private func renameToText(_ path: FilePath, _ name: FilePath.Component) throws(FileError) -> FilePath {
        if FilePath.Component(name.string) == name { return path }
        let renamed = path.removingLastComponent().appending("\(ResultName.make(from: name)).png")
        try files.renameExclusively(path, to: renamed)
        return renamed
    }

    /// Makes a job that is born rejected of a claim.
    private func reject(
        _ claim: FilePath, as id: JobID, _ item: InboxItem, code: String, message: String
    ) throws(FileError) {
        let rejection = claim.appending(JobFiles.rejection)
        try joinSettings(keptIn: claim)
        try JobLedger(name: item.text, claimed: Date()).write(to: claim, files)
        try files.ensureDirectory(rejection)
        let report = RejectionReport(
            job: id.description, name: item.text, code: code, message: message, attempts: [])
        try files.write(JobLedger.encode(report), to: rejection.appending(JobFiles.error))
        try files.synchronise(claim)
        try files.rename(claim, to: folder.job(id))
        try files.synchronise(folder.jobs)
    }
}
