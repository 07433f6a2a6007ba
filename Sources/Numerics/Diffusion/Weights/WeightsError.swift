public import Failures

/// What is wrong with a file of weights: a code to branch on, and a sentence that names the file, the dataset and the
/// remedy.
public struct WeightsError: CodedFailure, Equatable {
    /// The kinds of failure that callers tell apart.
    public enum Code: FailureCode, CaseIterable {
        /// There is no such file or group.
        case notFound
        /// The file is no HDF5 file, cannot be read through, or holds numbers that are not finite.
        case damaged
        /// The file is not of the format "dkp-ddpm", or of a version that this program does not know.
        case wrongFormat
        /// The configuration is not that of a network that can be built.
        case badConfiguration
        /// The configuration calls for a parameter that the file lacks.
        case missing
        /// The file has a parameter that the configuration does not call for.
        case unexpected
        /// A parameter has another shape or element type than the configuration calls for.
        case wrongShape
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

    /// Names of these kinds say what they are about.
    public static var namePrefix: String { "weights_" }
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
