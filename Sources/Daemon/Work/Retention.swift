import Foundation
import Logging
import SystemPackage

/// Removes results that have lain in the outbox for a number of days: nothing that is not a result of this daemon, and
/// nothing at all unless the operator has asked for it.
package struct Retention: Sendable {
    private let folder: StateFolder
    private let files: any StateFileSystem
    private let logger: Logger

    package init(_ folder: StateFolder, files: any StateFileSystem, logger: Logger) {
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
    /// of its removal leaves it to ``Publication/removeRetired()``, and no half of one in the outbox.
    /// - Returns: the names of the results that were removed.
    @discardableResult
    package func removeResults(olderThan days: Int, now: Date) -> [String] {
        let oldest = now.addingTimeInterval(-Double(days) * 86_400)
        var removed: [String] = []
        do {
            for name in try files.entries(folder.outbox) {
                let place = folder.outbox.appending(name)
                guard try files.status(place)?.kind == .directory, let report = ResultSummary.read(from: place, files),
                    let job = JobID(report.jobID), report.finished < oldest
                else { continue }
                let retired = folder.retired(job)
                try files.removeTree(retired)
                try files.rename(place, to: retired)
                try files.synchronise(folder.outbox)
                try files.removeTree(retired)
                removed.append(name.string)
                logger.notice(
                    "result removed, as keep_results asks",
                    metadata: [
                        "job": "\(job)", "name": "\(report.originalName)", "place": "\(place)",
                        "finished": "\(report.finished.formatted(.iso8601))",
                    ])
            }
        } catch {
            logger.warning("old results cannot be removed now", metadata: ["reason": "\(error)"])
        }
        return removed
    }
}
