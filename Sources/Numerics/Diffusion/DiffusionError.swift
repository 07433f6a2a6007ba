public import Failures

/// A schedule, a sampler or a network that cannot be used as it was asked for, in one sentence with the remedy.
public struct DiffusionError: Failure, Equatable {
    /// The kind of failure.
    public enum Code: String, Sendable, CaseIterable {
        /// A number of steps, a respacing or an eta out of range.
        case invalidSetting = "invalid_setting"
        /// A checkpoint that does not fit the run that it is to go on with.
        case unusableCheckpoint = "unusable_checkpoint"
        /// A network whose answer, channels or classes are not what is needed.
        case unusableNetwork = "unusable_network"
    }

    /// The kind of failure.
    public let code: Code
    /// The sentence.
    public let message: String

    /// An error with this code and sentence.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The kind of failure, for programs.
    public var name: String { code.rawValue }
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus { code.exitStatus }
}

extension DiffusionError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .invalidSetting: .badSettings
        case .unusableCheckpoint, .unusableNetwork: .badInput
        }
    }
}
