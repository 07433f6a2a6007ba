import Restoration
import SystemPackage

/// A system call on a file failed: which, on what, and why.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What the system said.
    public let code: Errno
    /// What was attempted, as an infinitive ("rename to /x/y").
    public let operation: String
    /// The file concerned.
    public let path: FilePath

    /// Creates an error.
    public init(_ code: Errno, operation: String, path: FilePath) {
        self.code = code
        self.operation = operation
        self.path = path
    }

    /// One sentence naming the file, the operation and the cause.
    public var description: String { "\(path.readable): cannot \(operation): \(code)\(remedy)" }

    /// Whether it can pass by itself, so that waiting and trying again is right: a full or read-only file system, a
    /// quota, a lack of descriptors or memory.
    public var isPassing: Bool {
        switch code {
        case .noSpace, .readOnlyFileSystem, .permissionDenied, .notPermitted, .ioError, .tooManyOpenFiles,
            .tooManyOpenFilesInSystem, .noMemory, .resourceBusy, .staleNFSFileHandle, .diskQuotaExceeded:
            true
        default: false
        }
    }

    /// The same error, of the file as people know its place.
    func relocated(from directory: FilePath? = nil, to place: FilePath) -> FileError {
        guard let directory else { return FileError(code, operation: operation, path: place) }
        var path = path
        guard path.removePrefix(directory) else { return self }
        return FileError(code, operation: operation, path: place.pushing(path))
    }

    /// What is attempted on files that stay as they are.
    private static let readingOperations: Set = ["read", "open", "open the folder", "list", "ask its status"]

    private var remedy: String {
        switch code {
        case .noSpace, .diskQuotaExceeded: "; make room on that file system"
        case .readOnlyFileSystem: "; remount it for writing, or name it in ReadWritePaths= of the systemd service"
        case .permissionDenied, .notPermitted:
            Self.readingOperations.contains(operation)
                ? "; let the user \(UserAccount.current.name) read it"
                : "; let the user \(UserAccount.current.name) write there"
        case .improperLink: "; all folders of the state directory must lie on one file system"
        default: ""
        }
    }
}

extension FilePath {
    /// The path as text fit for a log line: control characters are escaped.
    var readable: String { PrintableText.line(string) }
}
