package import Files
import Foundation
import Jobs
package import SystemPackage

/// What is found in the jobs folder when the daemon starts, put in order.
///
/// The steps, each of which may itself be interrupted and done again:
/// 1. job directories that an earlier version was making beside its claims are completed or removed;
/// 2. jobs that had been published are removed (`.ID.done`);
/// 3. claims are completed or undone (`.ID.new`, see ``Claim``);
/// 4. each job directory is listed; its ``JobPhase`` says what the scheduler does with it: run the worker, publish,
///    reject, or remove.
///
/// One entry's trouble is that entry's alone: it is told, and the others go on. A job whose files cannot be read goes to
/// the scheduler all the same, which pauses it with that reason.
package struct Recovery: Sendable {
    /// A job that was found.
    package struct Found: Sendable, Equatable {
        /// Its identifier.
        package var id: JobID
        /// What the daemon remembered of it.
        package var ledger: JobLedger
        /// Whether a worker has still to run; where not, only files are to be moved.
        package var needsWorker: Bool

        package init(id: JobID, ledger: JobLedger, needsWorker: Bool = true) {
            self.id = id
            self.ledger = ledger
            self.needsWorker = needsWorker
        }

        /// The job in a directory as its files tell it. Where they cannot be read, the scheduler meets the error.
        package init(_ id: JobID, in folder: StateFolder, _ files: some FileSystem) {
            let job = folder.job(id)
            self.id = id
            ledger = (try? JobLedger.read(from: job, files)) ?? Recovery.ledger(of: job)
            needsWorker = (try? JobPhase(of: job, files)) ?? .working == .working
        }
    }

    private let folder: StateFolder
    private let files: any FileSystem
    private let claim: Claim
    private let publication: Publication

    package init(_ folder: StateFolder, files: any FileSystem, claim: Claim, publication: Publication) {
        self.folder = folder
        self.files = files
        self.claim = claim
        self.publication = publication
    }

    /// Puts the folder in order.
    /// - Returns: the jobs, oldest first, and sentences on what was strange or cannot be done now.
    /// - Throws: ``FileError`` if the folder of jobs itself cannot be listed.
    package func run() throws(FileError) -> (jobs: [Found], warnings: [String]) {
        var warnings: [String] = []
        func attempt(_ body: () throws -> Void) {
            do { try body() } catch { warnings.append("\(error)") }
        }
        attempt { _ = try JobDirectory.recoverUnfinished(in: folder.jobs.string) }
        attempt { warnings += try publication.removeRetired().map { "\($0)" } }
        for id in try claim.unfinished() { attempt { try claim.finish(id) } }

        var jobs: [Found] = []
        for entry in try files.entries(folder.jobs) {
            if entry.string.hasPrefix(".") { continue }
            let path = folder.jobs.appending(entry)
            do throws(FileError) {
                guard let id = JobID(entry.string), let status = try files.status(path), status.kind == .directory
                else {
                    warnings.append("\(path.readable): not a job of this daemon; left alone")
                    continue
                }
                guard JobOwnership.isOwn(status) else {
                    let (owner, own) = (UserAccount(status.owner).name, UserAccount.current.name)
                    warnings.append(
                        "\(path.readable): belongs to \(owner), so it is not taken as a job of this daemon; if it is one: "
                            + "chown -R \(own) it, and start again")
                    continue
                }
                attempt { try JobOwnership.close(path, files) }
                jobs.append(Found(id, in: folder, files))
            } catch {
                warnings.append("\(error)")
            }
        }
        return (jobs.sorted { $0.id < $1.id }, warnings)
    }

    /// A new record for a job that has none (the daemon died before it wrote one, or it is damaged).
    package static func ledger(of job: FilePath) -> JobLedger {
        JobLedger(name: JobFiles.originalName(of: job) ?? "image.png", claimed: Date())
    }
}
