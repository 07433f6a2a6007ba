import Daemon
import Files
import Foundation
import Glibc
import Jobs
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// The real file system, until the process "dies": after a number of changes every further call fails, reading too.
final class MortalFileSystem: FileSystem {
    private let real = LocalFileSystem()
    private let changesLeft: Mutex<Int>

    init(changes: Int) { changesLeft = Mutex(changes) }

    /// Whether it died.
    var isDead: Bool { changesLeft.withLock { $0 < 0 } }

    private func live(_ path: FilePath) throws(FileError) {
        if isDead { throw FileError(.ioError, "live", path) }
    }

    private func change(_ path: FilePath) throws(FileError) {
        let isLast = changesLeft.withLock { left in
            left = max(-1, left - 1)
            return left < 0
        }
        if isLast { throw FileError(.ioError, "live", path) }
    }

    func status(_ path: FilePath) throws(FileError) -> FileStatus? {
        try live(path)
        return try real.status(path)
    }
    func entries(_ directory: FilePath) throws(FileError) -> [FilePath.Component] {
        try live(directory)
        return try real.entries(directory)
    }
    func read(_ path: FilePath, from start: Int64, limit: Int) throws(FileError) -> [UInt8] {
        try live(path)
        return try real.read(path, from: start, limit: limit)
    }
    func share(_ directory: FilePath, with folder: FilePath) throws(FileError) {
        try change(directory)
        try real.share(directory, with: folder)
    }
    func stage(in directory: FilePath) throws(FileError) -> StagedFile {
        try change(directory)
        return try real.stage(in: directory)
    }
    func makeDirectory(_ path: FilePath) throws(FileError) {
        try change(path)
        try real.makeDirectory(path)
    }
    func rename(_ path: FilePath, to newPath: FilePath) throws(FileError) {
        try change(path)
        try real.rename(path, to: newPath)
    }
    func renameExclusively(_ path: FilePath, to newPath: FilePath) throws(FileError) {
        try change(path)
        try real.renameExclusively(path, to: newPath)
    }
    func write(_ bytes: [UInt8], to path: FilePath) throws(FileError) {
        try change(path)
        try real.write(bytes, to: path)
    }
    func removeFile(_ path: FilePath) throws(FileError) {
        try change(path)
        try real.removeFile(path)
    }
    func removeDirectory(_ path: FilePath) throws(FileError) {
        try change(path)
        try real.removeDirectory(path)
    }
    func synchronise(_ path: FilePath) throws(FileError) {
        try change(path)
        try real.synchronise(path)
    }
}

/// The protocols of one daemon on a state folder, over some file system.
struct Protocols {
    let claim: Claim
    let publication: Publication
    let recovery: Recovery

    init(claim: Claim, publication: Publication, recovery: Recovery) {
        self.claim = claim
        self.publication = publication
        self.recovery = recovery
    }

    init(_ folder: StateFolder, _ files: MortalFileSystem, limits: InputLimits = InputLimits()) {
        var defaults = RestorationSettings()
        defaults.method = .dipDKP
        claim = Claim(folder, files: files, defaults: defaults, limits: limits)
        publication = Publication(folder, files: files)
        recovery = Recovery(folder, files: files, claim: claim, publication: publication)
    }
}

/// Runs `body` with a fresh directory in memory, where there is such a thing: for the tests of what the death of a
/// process leaves, of which there are thousands, and which no disk need take part in.
func withMemoryDirectory(_ body: (FilePath) throws -> Void) throws {
    let memory = "/dev/shm"
    guard access(memory, W_OK) == 0 else { return try withTemporaryDirectory { try body(FilePath($0)) } }
    let path = FilePath(memory).appending("dkp-test-\(UUID().uuidString)")
    try LocalFileSystem().makeDirectory(path)
    defer { try? LocalFileSystem().removeTree(path) }
    try body(path)
}

/// A component of a path, or a test failure.
func component(_ name: String) throws -> FilePath.Component { try #require(FilePath.Component(name)) }

/// A file of the inbox by its name, "cat.png" or "folder/cat.png".
func item(_ text: String) throws -> InboxItem {
    let parts = try text.split(separator: "/").map { try component(String($0)) }
    return InboxItem(try #require(parts.last), in: parts.count > 1 ? parts[0] : nil)
}

/// The names in a directory, sorted, hidden ones too.
func names(_ directory: FilePath) throws -> [String] {
    try LocalFileSystem().entries(directory).map(\.string).sorted()
}

/// A file's content as text.
func text(_ path: FilePath) throws -> String {
    String(decoding: try LocalFileSystem().read(path, limit: 1 << 20), as: UTF8.self)
}

/// Writes a file as a stranger would: opened, written, closed.
func drop(_ text: String, _ path: FilePath) throws { try drop(Array(text.utf8), path) }

/// The same with any bytes.
func drop(_ bytes: [UInt8], _ path: FilePath) throws {
    // Not through a URL: a name need not be text.
    let file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .truncate], permissions: FilePermissions(rawValue: 0o666))
    try file.closeAfter { _ = try file.writeAll(bytes) }
}

/// Waits until something holds; the limit only ends a test that hangs, it says nothing about speed.
func wait(
    for what: @autoclosure () -> String, limit: Duration = .seconds(300),
    sourceLocation: SourceLocation = #_sourceLocation, until holds: () throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try !holds() {
        guard ContinuousClock.now < end else {
            Issue.record("waited \(limit) for \(what())", sourceLocation: sourceLocation)
            throw Timeout()
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

struct Timeout: Error {}

/// A log in memory.
struct LogCapture: LogHandler {
    private final class Store: Sendable { let lines = Mutex<[String]>([]) }
    private let store = Store()
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// What was written, a line each, metadata behind the message.
    var lines: [String] { store.lines.withLock { $0 } }

    func log(event: LogEvent) {
        let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        store.lines.withLock { $0.append("\(event.message)\(metadata)") }
    }
}
