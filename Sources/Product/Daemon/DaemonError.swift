public import Failures

/// The daemon cannot start, or a protocol on its state folder met what must not be: a kind and one sentence that names
/// the file, the thing and the remedy.
public struct DaemonError: CodedFailure, Equatable {
    /// The kind of error.
    public enum Code: FailureCode {
        /// The settings file cannot be used.
        case settings
        /// Another daemon works on the state folder.
        case stateFolderInUse
        /// The state folder cannot be used.
        case stateFolder
        /// The worker program cannot be started.
        case worker
        /// Watching the inbox failed.
        case inbox
        /// A limit of the system on watching is reached.
        case inotifyLimit
        /// The system gives the daemon no thread.
        case threads
    }

    /// The kind of error.
    public let code: Code
    /// The sentence.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension DaemonError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .settings: .badSettings
        case .stateFolderInUse: .stateFolderInUse
        case .stateFolder: .cannotCreate
        case .worker, .threads: .unavailable
        case .inbox, .inotifyLimit: .inputOutput
        }
    }
}
