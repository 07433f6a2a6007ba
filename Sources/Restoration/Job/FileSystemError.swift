import Foundation

/// A failed operation on a file or directory, in one sentence with the path, the reason and the remedy.
public struct FileSystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, for callers that branch on it.
    public enum Code: String, Sendable {
        /// There is no such file or directory.
        case notFound = "not_found"
        /// There is something of that name already.
        case exists
        /// It is a directory, a symbolic link or a device where a regular file is needed.
        case notRegular = "not_a_regular_file"
        /// It may not be written or created there.
        case cannotCreate = "cannot_create"
        /// The disk is full or a quota is used up.
        case noSpace = "no_space"
        /// Any other failure of the system.
        case inputOutput = "input_output"
    }

    /// The kind of failure.
    public let code: Code
    /// The file or directory.
    public let path: String
    /// The sentence.
    public let description: String

    init(_ code: Code, _ path: String, _ problem: String) {
        self.code = code
        self.path = path
        description = "\(path): \(problem)"
    }

    /// The error of the system call that just failed, read from `errno`.
    /// - Parameter action: what was to be done, as in "cannot be \(action)".
    static func system(_ path: String, _ action: String, errno number: Int32 = errno) -> FileSystemError {
        let reason = String(cString: strerror(number))
        return switch number {
        case ENOENT, ENOTDIR:
            FileSystemError(.notFound, path, "cannot be \(action): \(reason); check the path")
        case EEXIST, ENOTEMPTY:
            FileSystemError(.exists, path, "cannot be \(action): \(reason); move it away or choose another name")
        // ENXIO: a socket, or a FIFO that nobody reads.
        case ELOOP, EISDIR, ENXIO:
            FileSystemError(.notRegular, path, "cannot be \(action): \(reason); give a regular file")
        case EACCES, EPERM, EROFS, ENAMETOOLONG:
            FileSystemError(.cannotCreate, path, "cannot be \(action): \(reason); check the permissions")
        case ENOSPC, EDQUOT:
            FileSystemError(.noSpace, path, "cannot be \(action): \(reason); free some space and run again")
        default:
            FileSystemError(.inputOutput, path, "cannot be \(action): \(reason); check the disk")
        }
    }
}
