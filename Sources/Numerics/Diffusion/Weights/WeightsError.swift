public import Failures

/// What is wrong with a file of weights: a code to branch on, and a sentence that names the file, the dataset and the
/// remedy.
public struct WeightsError: Failure, Equatable {
    /// The kinds of failure that callers tell apart.
    public enum Code: String, Sendable, CaseIterable {
        /// There is no such file or group.
        case notFound = "weights_not_found"
        /// The file is no HDF5 file, cannot be read through, or holds numbers that are not finite.
        case damaged = "weights_damaged"
        /// The file is not of the format "dkp-ddpm", or of a version that this program does not know.
        case wrongFormat = "weights_wrong_format"
        /// The configuration is not that of a network that can be built.
        case badConfiguration = "weights_bad_configuration"
        /// The configuration calls for a parameter that the file lacks.
        case missing = "weights_missing"
        /// The file has a parameter that the configuration does not call for.
        case unexpected = "weights_unexpected"
        /// A parameter has another shape or element type than the configuration calls for.
        case wrongShape = "weights_wrong_shape"
    }

    /// The kind of failure.
    public let code: Code
    /// The sentence for the log and the user.
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

extension WeightsError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .notFound: .unavailable
        case .damaged, .wrongFormat, .badConfiguration, .missing, .unexpected, .wrongShape: .badInput
        }
    }
}
