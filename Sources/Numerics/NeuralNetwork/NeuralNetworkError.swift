public import Failures

/// What can go wrong when a network is planned, run, or filled with parameters.
public struct NeuralNetworkError: CodedFailure, Equatable {
    /// The kind of failure, for callers that branch on it.
    public enum Code: FailureCode, CaseIterable {
        /// oneDNN refused a call; the message has its status.
        case backend
        /// The layers or sizes do not fit together.
        case shape
        /// A parameter is missing, unknown, or of another shape.
        case parameter
        /// The system does not give the memory that the network needs.
        case memory
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, to which layer or parameter, and what would help.
    public let message: String

    static func backend(_ call: String, status: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .backend, message: "oneDNN: \(call) failed: \(status)")
    }

    static func shape(_ text: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .shape, message: text)
    }

    static func memory(_ text: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .memory, message: text)
    }

    static func parameter(_ text: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .parameter, message: text)
    }

    /// Names of these kinds say what they are about.
    public static var namePrefix: String { "network_" }
}

extension NeuralNetworkError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .backend, .memory: .unavailable
        case .shape, .parameter: .internalError
        }
    }
}
