import Files
import Glibc
import SystemPackage

/// Whom the files of a job belong to. What a job asks for is taken as the daemon's own word, which may name any file that
/// the daemon can read; so nobody else's word may stand there.
enum JobOwnership {
    /// What `error.json` of a job that another user has written to has as its code.
    static let code = "not_the_daemons"

    /// Whether a directory is the daemon's own.
    static func isOwn(_ job: FileStatus) -> Bool { job.owner == geteuid() }

    /// Takes the right to write in a directory from all but the daemon: one of an earlier version may have been open to
    /// the group.
    static func close(_ directory: FilePath, _ files: some FileSystem) throws(FileError) {
        guard let status = try files.status(directory), isOwn(status), status.kind == .directory,
            status.permissions & 0o022 != 0
        else { return }
        // Without the set-group-ID bit, which the service's RestrictSUIDSGID= lets nobody ask for.
        guard directory.withPlatformString({ chmod($0, status.permissions & 0o755) }) == 0 else {
            throw .last("change the mode", directory)
        }
    }

    /// What is wrong with what is asked of a job, in a sentence; nil if it is the daemon's own.
    static func trespass(in job: FilePath, _ files: some FileSystem) throws(FileError) -> String? {
        guard let record = try files.status(job.appending(JobFiles.record)), !isOwn(record) || record.kind != .regular
        else { return nil }
        let writer = UserAccount(record.owner).name
        return "\(JobFiles.record) is not the daemon's: the \(record.kind.rawValue) belongs to \(writer)"
    }
}
