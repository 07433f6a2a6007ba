public import Failures

/// Why a job or a command cannot go on, in one sentence that says what, where and what to do.
public struct RestorationError: Failure, Equatable {
    /// The kind of failure; its raw value is what `error.json` carries.
    public enum Code: String, Sendable, CaseIterable {
        /// A command line that makes no sense.
        case usage
        /// Data that cannot be used: not an image, a damaged file, files that do not fit together.
        case badInput = "bad_input"
        /// A file that is not there.
        case noInput = "no_input"
        /// A library, a weights file or a capability that is not there.
        case unavailable
        /// A weights file that is not there.
        case weightsNotFound = "weights_not_found"
        /// More memory than the machine or the limits have: known before the work begins.
        case needsTooMuchMemory = "needs_too_much_memory"
        /// The computation came to numbers that are not finite.
        case notFinite = "not_finite"
        /// A fault of this program.
        case internalError = "internal_error"
        /// Something stands where a result is to be written, or it may not be written there.
        case cannotCreate = "cannot_create"
        /// The system failed to read or write.
        case inputOutput = "input_output"
        /// Another process works on the same job.
        case busy
        /// A newer worker has taken the job over.
        case superseded
        /// Settings that cannot be used.
        case badSettings = "bad_settings"
    }

    /// The kind of failure.
    public let code: Code
    /// What is wrong and where.
    public let message: String
    /// What to do about it, if anything can be said.
    public let remedy: String?

    /// An error of one's own.
    public init(_ code: Code, _ message: String, remedy: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    package static func unavailable(_ message: String) -> RestorationError { RestorationError(.unavailable, message) }

    /// The kind of failure, for programs.
    public var name: String { code.rawValue }
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus { code.exitStatus }
}

extension RestorationError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .usage: .usage
        case .badInput, .needsTooMuchMemory: .badInput
        case .noInput: .noInput
        case .unavailable, .weightsNotFound: .unavailable
        case .internalError, .notFinite: .internalError
        case .cannotCreate: .cannotCreate
        case .inputOutput: .inputOutput
        // Another worker is at it: nothing is wrong with the job, try again later.
        case .busy: .inputOutput
        case .superseded: .superseded
        case .badSettings: .badSettings
        }
    }
}
