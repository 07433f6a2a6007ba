public import Failures

/// A schedule, a sampler or a network that cannot be used as it was asked for, in one sentence with the remedy.
public struct DiffusionError: CodedFailure, Equatable {
    /// The kind of failure.
    public enum Code: FailureCode, CaseIterable {
        /// A number of steps, a respacing or an eta out of range.
        case invalidSetting
        /// A checkpoint that does not fit the run that it is to go on with.
        case unusableCheckpoint
        /// A network whose answer, channels or classes are not what is needed.
        case unusableNetwork
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
