/// The daemon cannot start, or a protocol on its state folder met what must not be: a kind and one sentence that names
/// the file, the thing and the remedy.
public struct DaemonError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: String, Sendable {
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
    }

    /// The kind of error.
    public let code: Code
    /// The sentence.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// The exit code of `dkpd` for it.
    public var exitCode: Int32 {
        switch code {
        case .settings: 78
        case .stateFolderInUse: 1
        case .stateFolder: 73
        case .worker: 69
        case .inbox, .inotifyLimit: 74
        }
    }
}
