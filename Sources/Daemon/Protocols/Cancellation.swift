import Foundation
import SystemPackage

/// The operator's wish that a job be given up: a file `cancel` in its directory, which holds through any crash of
/// anything. The daemon sees it within a second, or when it starts; where there is no daemon, whoever wishes it does the
/// rest himself.
package enum Cancellation {
    /// What `error.json` of a job that was given up has as its code.
    package static let code = "cancelled"

    /// Writes the wish down, in one step: the file is made beside the jobs and renamed into the job, which changes the
    /// folder of jobs too, and that is what the daemon looks at.
    package static func wish(
        _ id: JobID, by user: String, in folder: StateFolder, _ files: some StateFileSystem
    ) throws(FileError) {
        let temporary = folder.jobs.appending(".\(id).cancel")
        try files.write(Array("cancelled by \(user)\n".utf8), to: temporary)
        do throws(FileError) {
            try files.rename(temporary, to: folder.job(id).appending(JobFiles.cancellation))
            try files.synchronise(folder.job(id))
        } catch {
            try files.removeFile(temporary)
            throw error
        }
    }

    /// Whether a job is to be given up.
    static func isWished(in job: FilePath, _ files: some StateFileSystem) -> Bool {
        (try? files.status(job.appending(JobFiles.cancellation)))?.kind == .regular
    }

    /// The sentence on who gave the job up; nil if nobody did.
    static func wish(in job: FilePath, _ files: some StateFileSystem) -> String? {
        guard isWished(in: job, files) else { return nil }
        let bytes = (try? files.read(job.appending(JobFiles.cancellation), limit: 1024)) ?? []
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.isEmpty ? "cancelled" : ResultName.printable(text)
    }

    /// Gives a job up where no daemon is there to do it: rejects it as the daemon would. A worker that still lives loses
    /// the job and stops.
    /// - Returns: the place of what is left of it; nil if it is finished already.
    /// - Throws: ``DaemonError`` with code `stateFolderInUse` if a daemon has started meanwhile; ``FileError``.
    package static func carryOut(
        _ id: JobID, name: String, in folder: StateFolder, _ files: some StateFileSystem
    ) throws -> FilePath? {
        let lock = try StateLock(folder)
        defer { withExtendedLifetime(lock) {} }
        let job = folder.job(id)
        let publication = Publication(folder, files: files)
        _ = try JobRepair(files).repair(job)
        switch try JobPhase(of: job, files) {
        case .publishing, .finished: return nil
        case .rejecting: return try publication.completeRejection(id, name: name)
        case .working:
            let ledger = try JobLedger.read(from: job, files)
            let report = RejectionReport(
                job: id.description, name: name, priority: ledger?.priority, code: code,
                message: wish(in: job, files) ?? "cancelled", attempts: ledger?.attempts ?? [])
            return try publication.reject(id, report: report)
        }
    }
}
