public import Failures

/// Why a kernel prior, a sampler or a kernel network could not be made or restored.
public struct KernelPriorError: CodedFailure, Equatable {
    /// The kind of error.
    public enum Code: FailureCode, CaseIterable {
        /// A setting is outside its allowed range.
        case invalidSetting
        /// A checkpoint does not fit the settings, or holds impossible values.
        case unusableCheckpoint
    }

    /// The kind of error.
    public let code: Code
    /// What is wrong, where, and what to do.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func setting(_ name: String, _ value: some Any, allowed: String) -> KernelPriorError {
        KernelPriorError(.invalidSetting, "kernel prior: \(name) is \(value); allowed: \(allowed)")
    }

    static func checkpoint(_ path: String, _ problem: String) -> KernelPriorError {
        KernelPriorError(
            .unusableCheckpoint, "checkpoint: \(path) \(problem); start afresh or use the settings it was written with")
    }
}

extension KernelPriorError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .invalidSetting: .badSettings
        case .unusableCheckpoint: .badInput
        }
    }
}
