public import Failures
import Files

/// What went wrong with a snapshot or a durable file: a code to branch on, and a sentence that names the file, the thing
/// in it and the remedy.
public struct CheckpointError: CodedFailure, Equatable {
    /// The kinds of failure that callers tell apart.
    public enum Code: FailureCode, CaseIterable {
        /// The snapshot lacks the dataset or attribute that was asked for.
        case missing
        /// The dataset or attribute is of another type than was asked for.
        case wrongType
        /// The dataset has another number of elements than was asked for.
        case wrongShape
        /// A path that no file can hold: empty or reserved names, or a dataset where a group must be.
        case invalidPath
        /// No such file or directory.
        case notFound
        /// The file is incomplete or altered; an older generation may still be good.
        case damaged
        /// An intact file of another format than was asked for.
        case wrongFormat
        /// Written by a newer version of the program.
        case newerVersion
        /// The disk or the quota is full: free space and try again.
        case noSpace
        /// The directory or file may not be written.
        case permissionDenied
        /// The directory or file may not be read.
        case notReadable
        /// The system is short of memory or of file descriptors for the moment: try again later.
        case exhausted
        /// A library that is needed does not work.
        case unavailable
        /// Any other failure of the system or a library.
        case inputOutput
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

    /// What comes of a body, its errors in the form of this type.
    static func converting<Result: ~Copyable>(
        _ body: () throws -> Result
    ) throws(CheckpointError) -> Result {
        do {
            return try body()
        } catch let error as CheckpointError {
            throw error
        } catch let error as FileError {
            throw CheckpointError(error)
        } catch let error as LibraryError {
            throw CheckpointError(.unavailable, error.message)
        } catch {
            throw CheckpointError(.inputOutput, String(describing: error))
        }
    }

    private init(_ error: FileError) {
        let code: Code =
            switch error.code {
            case .noSpace: .noSpace
            case .exhausted: .exhausted
            case .notReadable: .notReadable
            case .notARegularFile: .wrongFormat
            case _ where error.isMissing || error.code == .notFound: .notFound
            case .cannotCreate: .permissionDenied
            case .tooLarge, .exists, .inputOutput, .notFound: .inputOutput
            }
        self.init(code, error.message)
    }

    /// Names of these kinds say what they are about.
    public static var namePrefix: String { "checkpoint_" }
}

extension CheckpointError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .missing, .wrongType, .wrongShape, .damaged, .wrongFormat: .badInput
        case .notFound, .notReadable: .noInput
        case .permissionDenied: .cannotCreate
        case .unavailable, .newerVersion: .unavailable
        case .noSpace, .exhausted, .inputOutput: .inputOutput
        case .invalidPath: .internalError
        }
    }
}
