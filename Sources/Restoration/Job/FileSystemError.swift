import Foundation

/// A failed operation on a file or directory, in one sentence with the path, the reason and the remedy.
public struct FileSystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, for callers that branch on it.
    public enum Code: String, Sendable, CaseIterable {
        /// There is no such file or directory.
        case notFound = "not_found"
        /// It is there, but may not be read.
        case notReadable = "not_readable"
        /// It has more bytes than are read of such a file.
        case tooLarge = "too_large"
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
    /// - Parameters:
    ///   - access: what the call was for; a path that leads nowhere is no input, or no place for an output.
    ///   - action: what was to be done, as in "cannot be \(action)".
    static func system(
        _ access: Access, _ path: String, _ action: String, errno number: Int32 = errno
    ) -> FileSystemError {
        let (code, remedy) = meaning(of: number, access)
        let name = path.isEmpty ? "an empty path" : path
        return FileSystemError(code, name, "cannot be \(action): \(String(cString: strerror(number))); \(remedy)")
    }

    /// What a system call was for.
    enum Access {
        case reading
        case writing
    }

    private static func meaning(of number: Int32, _ access: Access) -> (code: Code, remedy: String) {
        switch (number, access) {
        case (ENOENT, .reading), (ENOTDIR, .reading), (ENAMETOOLONG, .reading): (.notFound, "check the path")
        case (EACCES, .reading), (EPERM, .reading): (.notReadable, "check the permissions")
        // ENXIO: a socket, or a FIFO that nobody reads.
        case (ELOOP, .reading), (EISDIR, .reading), (ENXIO, .reading): (.notRegular, "give a regular file")
        case (EEXIST, _), (ENOTEMPTY, _): (.exists, "move it away or choose another name")
        case (ENOENT, .writing), (ENOTDIR, .writing), (ENAMETOOLONG, .writing): (.cannotCreate, "check the path")
        case (EACCES, .writing), (EPERM, .writing), (EROFS, _): (.cannotCreate, "check the permissions")
        case (ELOOP, .writing), (EISDIR, .writing), (ENXIO, .writing):
            (.cannotCreate, "what has that name is no regular file; move it away")
        case (ENOSPC, _), (EDQUOT, _): (.noSpace, "free some space and run again")
        case (EMFILE, _), (ENFILE, _), (ENOMEM, _), (EAGAIN, _):
            (.inputOutput, "the system is short of it for the moment; run again later")
        default: (.inputOutput, "check the disk")
        }
    }
}
