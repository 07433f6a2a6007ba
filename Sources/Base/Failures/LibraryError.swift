/// A library that the program needs does not work: which, and what to do about it.
public struct LibraryError: Failure, Equatable {
    /// The kind of error.
    public let name: String
    /// What is wrong.
    public let message: String

    /// An error of a library.
    /// - Parameter name: the kind of error, in snake_case.
    public init(_ name: String, _ message: String) {
        self.name = name
        self.message = message
    }

    /// Something that is needed is not there.
    public var exitStatus: ExitStatus { .unavailable }
}
