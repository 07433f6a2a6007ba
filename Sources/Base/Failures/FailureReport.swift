/// An error in the form in which it is reported: what `error.json` and standard error carry.
public struct FailureReport: Failure, Codable, Equatable {
    /// The kind of error, a short name in snake_case.
    public let code: String
    /// What is wrong, where.
    public let message: String
    /// What to do about it, if it is not in the message already.
    public let remedy: String?
    /// The exit code that stands for it; nil in a report of an older version.
    public let exitCode: Int32?

    enum CodingKeys: String, CodingKey {
        case code, message, remedy
        case exitCode = "exit_code"
    }

    /// The report of any error; one that is no ``Failure`` is a fault of the program.
    public init(_ error: any Error) {
        switch error {
        case let error as FailureReport: self = error
        case let error as any Failure:
            self.init(error.name, error.message, remedy: error.remedy, exitStatus: error.exitStatus)
        default: self.init("internal_error", String(describing: error), exitStatus: .internalError)
        }
    }

    /// A report in its parts.
    public init(_ code: String, _ message: String, remedy: String? = nil, exitStatus: ExitStatus? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        exitCode = exitStatus?.rawValue
    }

    /// The kind of error, as ``code``.
    public var name: String { code }

    /// The exit code; an unknown number counts as an internal error.
    public var exitStatus: ExitStatus { exitCode.flatMap { ExitStatus(rawValue: $0) } ?? .internalError }
}
