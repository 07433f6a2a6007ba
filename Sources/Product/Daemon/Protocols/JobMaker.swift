import Jobs
import SystemPackage

/// Makes a job of a claimed file. The one seam between the claim protocol and what a job is.
package protocol JobMaker: Sendable {
    /// Moves `input` into a new job directory that appears whole or not at all.
    /// - Parameters:
    ///   - id: the name of the directory, in the state folder's `jobs`.
    ///   - name: the dropped file's name, as text.
    ///   - settings: what is asked.
    func makeJob(_ id: JobID, input: FilePath, name: String, settings: RestorationSettings) throws
    /// Completes or removes what a crash in ``makeJob(_:input:name:settings:)`` left.
    func recover() throws
}

/// Makes jobs as `dkp restore` does.
package struct DirectoryJobMaker: JobMaker {
    private let jobs: FilePath

    /// - Parameter folder: where the jobs are.
    package init(_ folder: StateFolder) { jobs = folder.jobs }

    package func makeJob(_ id: JobID, input: FilePath, name: String, settings: RestorationSettings) throws {
        _ = try JobDirectory.create(
            in: jobs.string, input: input.string, settings: settings, name: id.description, originalName: name,
            transfer: .move)
    }

    package func recover() throws { _ = try JobDirectory.recoverUnfinished(in: jobs.string) }
}

extension DirectoryJobMaker {
    /// The dropped file's name of a job that was made, nil if its description cannot be read.
    static func originalName(of job: FilePath) -> String? {
        (try? JobDirectory.open(job.string))?.record.originalName
    }
}
