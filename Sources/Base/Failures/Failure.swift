/// An error that people, scripts and `error.json` are told of: every error type of the program is one.
public protocol Failure: Error, CustomStringConvertible, Sendable {
    /// The kind of error, a short name in snake_case.
    var name: String { get }
    /// What is wrong, and where. Holds the remedy too where ``remedy`` is nil.
    var message: String { get }
    /// What to do about it, if it is not in the message already.
    var remedy: String? { get }
    /// The exit code that stands for it.
    var exitStatus: ExitStatus { get }
}

extension Failure {
    /// None apart from what the message says.
    public var remedy: String? { nil }
    /// The message, then the remedy.
    public var description: String { remedy.map { "\(message); \($0)" } ?? message }
}

/// The kinds of an error that tells several apart: of each a name and the exit code that stands for it.
public protocol FailureCode: Sendable, Equatable {
    /// The exit code that stands for it.
    var exitStatus: ExitStatus { get }
}

/// An error of one of several kinds, which say its name and its exit code.
public protocol CodedFailure: Failure {
    /// The kinds.
    associatedtype Code: FailureCode
    /// The kind.
    var code: Code { get }
    /// What the names of all its kinds begin with, in snake_case; empty where they say enough.
    static var namePrefix: String { get }
}

extension CodedFailure {
    /// None.
    public static var namePrefix: String { "" }
    /// The name of a kind: the prefix and the case's own.
    public static func name(of code: Code) -> String { namePrefix + String(describing: code).snakeCased }
    /// That of the kind.
    public var name: String { Self.name(of: code) }
    /// That of the kind.
    public var exitStatus: ExitStatus { code.exitStatus }
}

extension String {
    /// "notAnImage" as "not_an_image": how the names of kinds of errors are written.
    package var snakeCased: String {
        reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
