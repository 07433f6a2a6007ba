package import Files
import Jobs
package import SystemPackage

/// Where a job stands, read off the files in its directory and nothing else. This is what makes publishing happen
/// exactly once: each step of a publication is one rename, and after each the directory itself says what is left to do.
package enum JobPhase: Sendable, Equatable {
    /// The input is there, and no decision: the worker is to run.
    case working
    /// The finished result is there (a worker puts it there whole, by a rename): it goes to the outbox. A directory of
    /// that name without a report and an image is none.
    case publishing
    /// The decision to reject is written down: the rejection is completed and goes to rejected.
    case rejecting
    /// Neither input nor result: it has been published. The directory is to be removed.
    case finished

    /// Reads the phase of the job in `directory`.
    package init(of directory: FilePath, _ files: some FileSystem) throws(FileError) {
        let rejection = directory.appending(JobFiles.rejection)
        let result = directory.appending(JobFiles.result)
        if try files.status(rejection.appending(JobFiles.error))?.kind == .regular {
            self = .rejecting
        } else if try JobFiles.isComplete(result: result, files) {
            self = .publishing
        } else if try JobFiles.input(of: directory, files) != nil {
            self = .working
        } else if try files.status(result) != nil {
            self = .working
        } else {
            self = .finished
        }
    }
}

/// The names in a job's directory that the daemon itself deals with.
package enum JobFiles {
    /// The image to restore, by whichever of its possible names it is there; nil if it is not.
    package static func input(of directory: FilePath, _ files: some FileSystem) throws(FileError) -> FilePath? {
        var odd: FilePath?
        for name in JobRecord.inputNames {
            let path = directory.appending(name)
            guard let status = try files.status(path) else { continue }
            if status.kind == .regular { return path }
            odd = odd ?? path
        }
        return odd
    }

    /// The dropped file's name of a job, nil if what was asked cannot be read.
    static func originalName(of job: FilePath) -> String? {
        (try? JobDirectory.open(job.string))?.record.originalName
    }

    /// Whether a directory is a result: it holds a report and a restored image, regular files with something in them.
    static func isComplete(result: FilePath, _ files: some FileSystem) throws(FileError) -> Bool {
        guard try files.status(result)?.kind == .directory else { return false }
        for name in [report, image] {
            guard let status = try files.status(result.appending(name)), status.kind == .regular, status.size > 0 else {
                return false
            }
        }
        return true
    }

    /// The finished result, a directory.
    package static let result = "result"
    /// In a result: what was done.
    package static let report = "report.json"
    /// In a result: the restored image.
    static let image = "restored.png"
    /// What was asked.
    package static let record = "job.json"
    /// How far it is.
    package static let progress = "progress.json"
    /// When each run of a worker began and how it ended.
    static let runs = "runs.json"
    /// How the names of directories begin that entitle workers to change the job (see `JobLease`).
    package static let leasePrefix = "lease-"
    /// A rejection in the making, a directory.
    package static let rejection = "rejection"
    /// Why a worker failed, and why a job was rejected.
    package static let error = "error.json"
    /// What the worker said.
    package static let log = "job.log"
    /// Held by the worker at work.
    package static let lock = "lock"
    /// In a claim: the directory that holds the dropped file under its own name.
    package static let dropped = "dropped"
    /// In a claim: the dropped file's own settings.
    package static let settings = "settings.yaml"
}
