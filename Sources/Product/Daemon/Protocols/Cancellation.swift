import Failures
package import Files
import Foundation
import Glibc
import Jobs
package import SystemPackage

/// The request that a job be given up: a file in the folder of requests, named after the job, which holds through any
/// crash of anything. The daemon sees it within a second, or when it starts; where there is no daemon, whoever asks does
/// the rest himself.
///
/// It is not in the job's own directory, where nobody but the daemon and its workers has any business.
package enum Cancellation {
    /// What `error.json` of a job that was given up has as its code.
    package static let code = "cancelled"

    /// Asks for it, in one step.
    package static func request(
        _ id: JobID, by user: String, in folder: StateFolder, _ files: some FileSystem
    ) throws(FileError) {
        // A new name each time: in a folder that others may write in, one that is known could be theirs.
        let temporary = folder.requests.appending(".\(id)-\(UInt64.random(in: .min ... .max))")
        try files.write(Array("cancelled by \(user)\n".utf8), to: temporary)
        do throws(FileError) {
            // Whatever the umask: the daemon is to read who asked.
            guard temporary.withPlatformString({ chmod($0, 0o644) }) == 0 else {
                throw .last("change the mode", temporary)
            }
            try files.rename(temporary, to: folder.cancellation(id))
            try files.synchronise(folder.requests)
        } catch {
            try files.removeFile(temporary)
            throw error
        }
    }

    /// Whether a job is to be given up.
    static func isRequested(_ id: JobID, in folder: StateFolder, _ files: some FileSystem) -> Bool {
        (try? files.status(folder.cancellation(id)))?.kind == .regular
    }

    /// The sentence on who gave the job up; nil if nobody did.
    static func sentence(on id: JobID, in folder: StateFolder, _ files: some FileSystem) -> String? {
        guard isRequested(id, in: folder, files) else { return nil }
        let bytes = (try? files.read(folder.cancellation(id), limit: 1024)) ?? []
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.isEmpty ? "cancelled" : PrintableText.line(text)
    }

    /// The jobs for which it is requested. What else is in the folder, of jobs that are gone or of a killed command, is
    /// removed.
    static func requested(in folder: StateFolder, _ files: some FileSystem) -> [JobID] {
        guard let names = try? files.entries(folder.requests) else { return [] }
        return names.compactMap { name in
            let path = folder.requests.appending(name)
            if name.string.hasPrefix("cancel-"), let id = JobID(String(name.string.dropFirst(7))),
                isRequested(id, in: folder, files), (try? files.status(folder.job(id))) != nil
            {
                return id
            }
            // A moment's grace to a command that is about to rename its file.
            let age = Date().timeIntervalSince1970 - Double((try? files.status(path))?.changed ?? 0) / 1e9
            if !name.string.hasPrefix(".") || age > 60 { try? files.removeTree(path) }
            return nil
        }
    }

    /// Gives a job up where no daemon is there to do it: rejects it as the daemon would. A worker that still lives loses
    /// the job and stops.
    /// - Returns: the place of what is left of it; nil if it is finished already.
    /// - Throws: ``RestorationError`` with code `busy` if a daemon has started meanwhile; ``FileError``.
    package static func carryOut(
        _ id: JobID, name: String, in folder: StateFolder, _ files: some FileSystem
    ) throws -> FilePath? {
        let lock: StateLock
        do throws(DaemonError) {
            lock = try StateLock(folder)
        } catch {
            throw RestorationError(.busy, error.message)
        }
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
                message: sentence(on: id, in: folder, files) ?? "cancelled", attempts: ledger?.attempts ?? [])
            return try publication.reject(id, report: report)
        }
    }
}
