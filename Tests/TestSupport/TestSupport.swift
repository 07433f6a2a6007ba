import Foundation
public import Testing

extension Tag {
    /// Takes more than about a second; left out of the quick run.
    @Tag public static var slow: Self
}

/// Runs `body` with the path of a fresh, empty directory, which is removed afterwards whatever happens.
public func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = try makeTemporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

/// Runs `body` with the path of a fresh, empty directory, which is removed afterwards whatever happens.
public func withTemporaryDirectory<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
) async throws -> Result {
    let path = try makeTemporaryDirectory()
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

private func makeTemporaryDirectory() throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("dkp-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}

/// The text of a file kept beside the tests.
public func textFixture(_ name: String) throws -> String {
    try String(contentsOf: Bundle.module.bundleURL.appendingPathComponent("Vectors/\(name)"), encoding: .utf8)
}
