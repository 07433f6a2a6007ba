public import Failures

/// Why a job or a command cannot go on, in one sentence that says what, where and what to do.
public struct RestorationError: CodedFailure, Equatable {
    /// The kind of failure; its raw value is what `error.json` carries.
    public enum Code: FailureCode, CaseIterable {
        /// A command line that makes no sense.
        case usage
        /// Data that cannot be used: not an image, a damaged file, files that do not fit together.
        case badInput
        /// A file that is not there.
        case noInput
        /// A library, a weights file or a capability that is not there.
        case unavailable
        /// A weights file that is not there.
        case weightsNotFound
        /// More memory than the machine or the limits have: known before the work begins.
        case needsTooMuchMemory
        /// The computation came to numbers that are not finite.
        case notFinite
        /// A fault of this program.
        case internalError
        /// Something stands where a result is to be written, or it may not be written there.
        case cannotCreate
        /// The system failed to read or write.
        case inputOutput
        /// Another process works on the same job.
        case busy
        /// A newer worker has taken the job over.
        case superseded
        /// Settings that cannot be used.
        case badSettings
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
