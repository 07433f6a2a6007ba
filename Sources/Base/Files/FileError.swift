public import Failures
import Glibc
public import SystemPackage

/// An operation on a file or directory failed: which, on what, why, and what to do about it.
///
/// What an error number means is decided here, for the whole program.
public struct FileError: CodedFailure, Equatable {
    /// The kind of failure, for callers that branch on it; its name is what `error.json` carries.
    public enum Code: FailureCode, CaseIterable {
        /// There is no such file or directory.
        case notFound
        /// It is there, but may not be read.
        case notReadable
        /// It has more bytes than are read of such a file.
        case tooLarge
        /// There is something of that name already.
        case exists
        /// It is a directory, a symbolic link or a device where a regular file is needed.
        case notARegularFile
        /// It may not be written or created there.
        case cannotCreate
        /// The disk is full or a quota is used up.
        case noSpace
        /// The system is short of memory or of descriptors for the moment.
        case exhausted
        /// Any other failure of the system.
        case inputOutput
    }

    /// What an operation was for: a path that leads nowhere is no input, or no place for an output.
    public enum Access: Sendable {
        /// The file stays as it is.
        case reading
        /// It is made, changed, renamed or removed.
        case writing
    }

    /// The kind of failure.
    public let code: Code
    /// What the system said; nil where no call failed.
    public let cause: Errno?
    /// The file concerned.
    public let path: FilePath
    /// What is wrong with it, a sentence without its subject.
    private let problem: String
    private let advice: String?

    /// A system call failed.
    /// - Parameters:
    ///   - operation: what was attempted, as an infinitive ("rename to /x/y").
    ///   - access: what it was for.
    public init(_ cause: Errno, _ operation: String, _ path: FilePath, _ access: Access = .writing) {
        let (code, remedy) = Self.meaning(of: cause, access)
        self.init(code, path, "cannot \(operation): \(cause)", remedy: remedy, cause: cause)
    }

    /// Something was found out without a call that failed.
    /// - Parameter problem: what is wrong, as it follows the path and a colon.
    public init(_ code: Code, _ path: FilePath, _ problem: String, remedy: String? = nil, cause: Errno? = nil) {
        self.code = code
        self.cause = cause
        self.path = path
        self.problem = problem
        advice = remedy
    }

    /// The error of the system call that has just failed.
    package static func last(_ operation: String, _ path: FilePath, _ access: Access = .writing) -> FileError {
        FileError(.last, operation, path, access)
    }

    /// What was opened is no regular file.
    /// - Parameter kind: what it is, where that is known.
    package static func notRegular(
        _ path: FilePath, _ access: Access = .reading, kind: FileStatus.Kind? = nil
    ) -> FileError {
        switch access {
        case .reading:
            FileError(
                .notARegularFile, path,
                kind.map { "is a \($0.rawValue), not a regular file" } ?? "is not a regular file",
                remedy: "give the file itself", cause: .invalidArgument)
        case .writing:
            FileError(
                .cannotCreate, path, "is not a regular file", remedy: "move it away", cause: .invalidArgument)
        }
    }

    /// What is wrong with which file, and the remedy.
    public var message: String { "\(path.isEmpty ? "an empty path" : path.readable): \(reason)" }
    /// What is wrong, and the remedy, without the path.
    public var reason: String { advice.map { "\(problem); \($0)" } ?? problem }

    /// Whether there is no such file.
    public var isMissing: Bool { cause == .noSuchFileOrDirectory }

    /// Whether a name that was to be given is taken.
    public var isTaken: Bool { cause == .fileExists || cause == .directoryNotEmpty }

    /// The same error, of the file as people know its place.
    /// - Parameter directory: a directory that is called `place` for them; nil where the very path is.
    package func relocated(from directory: FilePath? = nil, to place: FilePath) -> FileError {
        var relocated = place
        if let directory {
            var rest = path
            guard rest.removePrefix(directory) else { return self }
            relocated = place.pushing(rest)
        }
        return FileError(code, relocated, problem, remedy: advice, cause: cause)
    }

    private static func meaning(of cause: Errno, _ access: Access) -> (code: Code, remedy: String?) {
        switch (cause, access) {
        case (.noSpace, _), (.diskQuotaExceeded, _): (.noSpace, "make room on that file system")
        case (.readOnlyFileSystem, _):
            (.cannotCreate, "remount it for writing, or name it in ReadWritePaths= of the systemd service")
        case (.permissionDenied, .reading), (.notPermitted, .reading):
            (.notReadable, "check the permissions, which must let the user \(UserAccount.current.name) read it")
        case (.permissionDenied, .writing), (.notPermitted, .writing):
            (.cannotCreate, "check the permissions, which must let the user \(UserAccount.current.name) write there")
        case (.noSuchFileOrDirectory, .reading), (.notDirectory, .reading), (.fileNameTooLong, .reading):
            (.notFound, "check the path")
        case (.noSuchFileOrDirectory, .writing), (.notDirectory, .writing), (.fileNameTooLong, .writing):
            (.cannotCreate, "check the path")
        // ENXIO: a socket, or a FIFO that nobody reads.
        case (.tooManySymbolicLinkLevels, .reading), (.isDirectory, .reading), (.noSuchAddressOrDevice, .reading):
            (.notARegularFile, "give a regular file")
        case (.tooManySymbolicLinkLevels, .writing), (.isDirectory, .writing), (.noSuchAddressOrDevice, .writing):
            (.cannotCreate, "what has that name is no regular file; move it away")
        case (.fileExists, _), (.directoryNotEmpty, _): (.exists, "move it away or choose another name")
        case (.improperLink, _): (.cannotCreate, "all folders of the state directory must lie on one file system")
        case (.tooManyOpenFiles, _), (.tooManyOpenFilesInSystem, _), (.noMemory, _),
            (.resourceTemporarilyUnavailable, _):
            (.exhausted, "the system is short of it for the moment; try again later")
        case (.ioError, _): (.inputOutput, "check the disk")
        default: (.inputOutput, nil)
        }
    }
}

extension FileError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .notFound, .notReadable: .noInput
        case .notARegularFile, .tooLarge: .badInput
        case .exists, .cannotCreate: .cannotCreate
        case .noSpace, .exhausted, .inputOutput: .inputOutput
        }
    }
}

extension Errno {
    /// That of the system call that has just failed.
    package static var last: Errno { Errno(rawValue: errno) }
}

extension FilePath {
    /// The path as text fit for a log line: control characters are escaped.
    package var readable: String { PrintableText.line(string) }
}

/// Repeats a system call that a signal interrupts.
func uninterrupted<Number: SignedInteger>(_ call: () -> Number) -> Number {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
