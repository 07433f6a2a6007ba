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

extension String {
    /// "notAnImage" as "not_an_image": how the names of kinds of errors are written.
    package var snakeCased: String {
        reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) }
    }
}
