package import Files
package import Foundation
package import Logging
import Synchronization
import SystemPackage

/// Removes results that have lain in the outbox for a number of days: nothing that is not a result of this daemon, and
/// nothing at all unless the operator has asked for it.
package final class Retention: Sendable {
    private let folder: StateFolder
    private let files: any FileSystem
    private let logger: Logger
    /// What could not be removed, and why, so that it is said once.
    private let told = Mutex<[FilePath.Component: String]>([:])

    package init(_ folder: StateFolder, files: any FileSystem, logger: Logger) {
        self.folder = folder
        self.files = files
        self.logger = logger
    }

    /// How often it is worth to look.
    static let interval = Duration.seconds(3600)

    /// Removes the results that were finished more than `days` days before `now`.
    ///
    /// A result is a directory, not a link to one, whose `report.json` is this program's and names a job and when it was
    /// finished. It is first renamed into the jobs folder under the name of a job that is done, where a crash in the midst
    /// of its removal leaves it to ``Publication/removeRetired()``, and no half of one in the outbox. One that cannot be
    /// renamed or removed is told once, and the others are not kept for it.
    /// - Returns: the names of the results that were removed.
    @discardableResult
    package func removeResults(olderThan days: Int, now: Date) -> [String] {
        let oldest = now.addingTimeInterval(-Double(days) * 86_400)
        let names: [FilePath.Component]
        do {
            names = try files.entries(folder.outbox)
        } catch {
            logger.warning("old results cannot be removed now", metadata: ["reason": "\(error)"])
            return []
        }
        told.withLock { $0 = $0.filter { names.contains($0.key) } }
        return names.filter { name in
            do throws(FileError) {
                return try remove(name, ifFinishedBefore: oldest)
            } catch {
                tell(name, "\(error)")
                return false
            }
        }.map(\.string)
    }

    /// Removes a result if it is one and old.
    private func remove(_ name: FilePath.Component, ifFinishedBefore oldest: Date) throws(FileError) -> Bool {
        let place = folder.outbox.appending(name)
        guard try files.status(place)?.kind == .directory, let report = ResultSummary.read(from: place, files),
            let job = JobID(report.jobID), report.finished < oldest
        else { return false }
        let retired = folder.retired(job)
        try files.removeTree(retired)
        try files.rename(place, to: retired)
        try files.synchronise(folder.outbox)
        logger.notice(
            "result removed, as keep_results asks",
            metadata: [
                "job": "\(job)", "name": "\(report.originalName)", "place": "\(place)",
                "finished": "\(report.finished.formatted(.iso8601))",
            ])
        do throws(FileError) {
            try files.removeTree(retired)
        } catch {
            logger.warning(
                "what is left of a result cannot be removed; tried again at the next start",
                metadata: ["job": "\(job)", "reason": "\(error)"])
        }
        return true
    }

    private func tell(_ name: FilePath.Component, _ reason: String) {
        guard told.withLock({ $0.updateValue(reason, forKey: name) }) != reason else { return }
        logger.warning(
            "an old result cannot be removed", metadata: ["place": "\(name.string)", "reason": "\(reason)"])
    }
}
