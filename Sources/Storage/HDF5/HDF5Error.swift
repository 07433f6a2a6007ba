public import Failures

/// What went wrong with an HDF5 file: a code to branch on, and a sentence that names the file, the object and the remedy.
public struct HDF5Error: CodedFailure, Equatable {
    /// The kinds of failure that callers tell apart.
    public enum Code: FailureCode, CaseIterable {
        /// The file cannot be opened, or is no HDF5 file.
        case cannotOpen
        /// The group, dataset or attribute is not in the file.
        case notFound
        /// The object is of another kind or element type than was asked for.
        case wrongType
        /// The dataset claims more elements than the limits allow, or than the file can hold.
        case tooLarge
        /// The object uses a feature that is not read: links to other files, external storage, unknown filters.
        case unsupported
        /// The library failed while reading: the file is damaged, or the medium is.
        case readFailed
        /// The library failed while writing.
        case writeFailed
        /// The caller asked for something impossible, such as an empty name.
        case invalidArgument
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
    public static var namePrefix: String { "hdf5_" }
}

extension HDF5Error.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .cannotOpen, .notFound, .wrongType, .tooLarge, .unsupported, .readFailed: .badInput
        case .writeFailed: .inputOutput
        case .invalidArgument: .internalError
        }
    }
}
