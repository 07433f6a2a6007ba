import Foundation

/// A library of C, built for a test, that is loaded before all others into a program.
public struct PreloadedLibrary {
    /// Where it is.
    public let path: String

    /// Builds it.
    /// - Throws: what the system says, and ``NotBuilt``.
    public init(_ source: String, in directory: String) throws {
        path = "\(directory)/preloaded.so"
        try Data(source.utf8).write(to: URL(fileURLWithPath: "\(directory)/preloaded.c"))
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["clang", "-shared", "-fPIC", "-O1", "-o", path, "\(directory)/preloaded.c"]
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else { throw NotBuilt() }
    }

    /// The compiler has said why.
    public struct NotBuilt: Error {}

    /// What makes `env` load it.
    public var assignment: String { "LD_PRELOAD=\(path)" }
}
