import Checkpointing
import Degradation
import Diffusion
import Foundation
import HDF5
import Imaging
import KernelPrior
import NeuralNetwork

/// The exit codes of `dkp`: a contract with scripts, the daemon and cluster schedulers (sysexits.h's numbers).
public enum ExitStatus: Int32, Sendable, CaseIterable {
    /// Done.
    case success = 0
    /// A command line that makes no sense.
    case usage = 64
    /// Bad input data.
    case badInput = 65
    /// No such input, or it may not be read.
    case noInput = 66
    /// A library, the weights or a newer version of the program is not there.
    case unavailable = 69
    /// An internal error.
    case internalError = 70
    /// The output cannot be created.
    case cannotCreate = 73
    /// The system failed to read or write.
    case inputOutput = 74
    /// Stopped by a signal, checkpoint written: run again to go on.
    case interrupted = 75
    /// A newer worker has taken the job over; this one has stopped and writes nothing more.
    case superseded = 77
    /// Bad settings.
    case badSettings = 78
}

/// An error in the form in which it is reported: what `error.json` and standard error carry. The one place where typed
/// errors are given their exit codes.
public struct Failure: Error, Sendable, Codable, Equatable, CustomStringConvertible {
    /// The kind of error, a short name in snake_case.
    public let code: String
    /// What is wrong, where.
    public let message: String
    /// The exit code that stands for it.
    public let exitCode: Int32
    /// What to do about it, if it is not in the message already.
    public let remedy: String?

    enum CodingKeys: String, CodingKey {
        case code, message, remedy
        case exitCode = "exit_code"
    }

    /// The message, then the remedy.
    public var description: String { remedy.map { "\(message); \($0)" } ?? message }

    /// The exit code; an unknown number counts as an internal error.
    public var exitStatus: ExitStatus { ExitStatus(rawValue: exitCode) ?? .internalError }

    init(_ code: String, _ message: String, _ status: ExitStatus, remedy: String? = nil) {
        self.code = code
        self.message = message
        exitCode = status.rawValue
        self.remedy = remedy
    }

    /// The report of any error.
    public init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as RestorationError:
            self.init(error.code.rawValue, error.message, error.code.exitStatus, remedy: error.remedy)
        case let error as SettingsError: self.init(error.code.rawValue, error.description, .badSettings)
        case let error as FileSystemError: self.init(error.code.rawValue, error.description, error.code.exitStatus)
        case let error as KernelPriorError:
            self.init(error.code.rawValue, error.description, error.code.exitStatus)
        case let error as ImageError:
            self.init(error.code.rawValue.snakeCased, error.description, error.code.exitStatus)
        case let error as CheckpointError:
            self.init("checkpoint_\(error.code)".snakeCased, error.message, error.code.exitStatus)
        case let error as HDF5Error: self.init("hdf5_\(error.code)".snakeCased, error.message, error.code.exitStatus)
        case let error as WeightsError: self.init(error.code.rawValue, error.message, error.code.exitStatus)
        case let error as UNetError: self.init("unsuitable_network", error.description, .badInput)
        case let error as NeuralNetworkError:
            self.init("network_\(error.code)", error.description, error.code.exitStatus)
        case let error as DiffusionError:
            self.init(error.code.rawValue, error.description, error.code.exitStatus)
        case let error as FourierTransformError: self.init("fourier_transform", error.description, .unavailable)
        default: self.init("internal_error", String(describing: error), .internalError)
        }
    }
}

extension RestorationError.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .usage: .usage
        case .badInput: .badInput
        case .noInput: .noInput
        case .unavailable, .weightsNotFound: .unavailable
        case .needsTooMuchMemory: .badInput
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

extension FileSystemError.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .notFound, .notReadable: .noInput
        case .notRegular, .tooLarge: .badInput
        case .exists, .cannotCreate: .cannotCreate
        case .noSpace, .inputOutput: .inputOutput
        }
    }
}

extension KernelPriorError.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .invalidSetting: .badSettings
        case .unusableCheckpoint: .badInput
        }
    }
}

extension DiffusionError.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .invalidSetting: .badSettings
        case .unusableCheckpoint, .unusableNetwork: .badInput
        }
    }
}

extension ImageError.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .notFound, .notReadable: .noInput
        case .notAnImage, .truncated, .corrupt, .tooLarge, .unsupported, .notComparable: .badInput
        case .cannotRead: .inputOutput
        case .cannotWrite: .cannotCreate
        }
    }
}

extension CheckpointError.Code {
    package var exitStatus: ExitStatus {
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

extension HDF5Error.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .cannotOpen, .notFound, .wrongType, .tooLarge, .unsupported, .readFailed: .badInput
        case .writeFailed: .inputOutput
        case .invalidArgument: .internalError
        }
    }
}

extension WeightsError.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .notFound: .unavailable
        case .damaged, .wrongFormat, .badConfiguration, .missing, .unexpected, .wrongShape: .badInput
        }
    }
}

extension NeuralNetworkError.Code {
    package var exitStatus: ExitStatus {
        switch self {
        case .backend, .memory: .unavailable
        case .shape, .parameter: .internalError
        }
    }
}

extension String {
    /// "notAnImage" as "not_an_image".
    fileprivate var snakeCased: String {
        reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
