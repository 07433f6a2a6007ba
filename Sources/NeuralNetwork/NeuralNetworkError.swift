/// What can go wrong when a network is planned, run, or filled with parameters.
public struct NeuralNetworkError: Error, Equatable, CustomStringConvertible {
    /// The kind of failure, for callers that branch on it.
    public enum Code: Sendable, Equatable, CaseIterable {
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
    public let description: String

    static func backend(_ call: String, status: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .backend, description: "oneDNN: \(call) failed: \(status)")
    }

    static func shape(_ text: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .shape, description: text)
    }

    static func memory(_ text: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .memory, description: text)
    }

    static func parameter(_ text: String) -> NeuralNetworkError {
        NeuralNetworkError(code: .parameter, description: text)
    }
}
