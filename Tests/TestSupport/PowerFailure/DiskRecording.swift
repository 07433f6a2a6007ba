import Files
import Foundation
import Synchronization
import SystemPackage

/// What was done to a folder, call by call, and the folder as a power failure after any of the calls may leave it.
///
/// All that is in the folder when the recording is made counts as synchronised long ago. What is done to it within
/// ``run(_:)`` is seen at the system calls (see `CSystemCalls`): no layer's word is taken for what it synchronises, and
/// nothing that goes around a layer is missed. The folder lies in memory, where there is such a thing, as no disk need
/// take part.
///
/// A folder that is rebuilt has the very files, by their numbers: the settings of one image may name it by its number.
public final class DiskRecording: Sendable {
    /// The folder.
    public let root: String

    /// What there was after a call.
    private struct Moment {
        var call = "nothing"
        var contents = DiskContents()
        /// The node that the call synchronised.
        var synchronised: Int?
        /// What had been reported as done.
        var marks: [String] = []
    }

    private struct State {
        var moments = [Moment()]
        /// The nodes of what there is, by the numbers of their files.
        var nodes: [UInt64: Int] = [:]
        var nodeCount = DiskContents.root + 1
        var marks: [String] = []
        var failure: (any Error)?
    }

    private let state = Mutex(State())
    /// Held while a call is under way, from its beginning to the look at what it did.
    private let turn = DispatchSemaphore(value: 1)
    /// Where every file that there ever was has a second name, by its node, so that it and its number stay.
    private let vault: String
    private let files = LocalFileSystem()

    private init(root: String, vault: String) throws {
        self.root = root
        self.vault = vault
        try state.withLock { state throws in state.moments[0].contents = try look(&state) }
    }

    /// Runs `body` with a fresh folder and removes it afterwards.
    public static func withFolder<Result>(
        prepare: (_ folder: String) throws -> Void = { _ in }, _ body: (DiskRecording) throws -> Result
    ) throws -> Result {
        let memory = "/dev/shm"
        let parent = access(memory, W_OK) == 0 ? memory : FileManager.default.temporaryDirectory.path
        let path = "\(parent)/dkp-test-\(UUID().uuidString)"
        let files = LocalFileSystem()
        defer { try? files.remove(path) }
        for directory in [path, "\(path)/disk", "\(path)/vault"] { try files.makeDirectory(directory) }
        try prepare("\(path)/disk")
        return try body(DiskRecording(root: "\(path)/disk", vault: "\(path)/vault"))
    }

    // MARK: Recording

    /// Records what `body` does to the folder.
    public func run<Result>(_ body: () throws -> Result) throws -> Result {
        let result = try CallObserver.observe(self, body)
        // What came after the last call that is watched.
        note("the end", synchronised: nil)
        if let failure = state.withLock({ $0.failure }) { throw failure }
        return result
    }

    /// Says that something has been reported as done, so that no power failure from now on may take it.
    public func mark(_ what: String) { state.withLock { $0.marks.append(what) } }

    func begin() { turn.wait() }

    func end(_ call: String, _ descriptor: CInt, succeeded: Bool) {
        defer { turn.signal() }
        var status = stat()
        let isSynchronisation = succeeded && ["fsync", "fdatasync"].contains(call) && fstat(descriptor, &status) == 0
        note(call, synchronised: isSynchronisation ? UInt64(status.st_ino) : nil)
    }

    private func note(_ call: String, synchronised: UInt64?) {
        state.withLock { state in
            do {
                let contents = try look(&state)
                state.moments.append(
                    Moment(
                        call: call, contents: contents, synchronised: synchronised.flatMap { state.nodes[$0] },
                        marks: state.marks))
            } catch {
                state.failure = state.failure ?? error
            }
        }
    }

    /// What there is now.
    private func look(_ state: inout State) throws -> DiskContents {
        var contents = DiskContents()
        var nodes: [UInt64: Int] = [:]
        func node(_ status: FileStatus) -> Int {
            if let node = nodes[status.inode] ?? state.nodes[status.inode] { return node }
            state.nodeCount += 1
            return state.nodeCount - 1
        }
        func add(_ directory: FilePath, _ number: Int) throws {
            for name in try files.entries(directory) {
                let path = directory.appending(name)
                guard let status = try files.status(path), [.regular, .directory].contains(status.kind) else {
                    continue
                }
                let found = node(status)
                nodes[status.inode] = found
                contents.names[DiskContents.Name(directory: number, name: name.string)] = found
                if status.kind == .directory {
                    contents.directories.insert(found)
                    try add(path, found)
                } else {
                    contents.files[found] = try files.contents(of: path.string)
                    _ = link(path.string, "\(vault)/\(found)")
                }
            }
        }
        let root = FilePath(self.root)
        guard let status = try files.status(root) else { throw FileError(.noSuchFileOrDirectory, "record it", root) }
        nodes[status.inode] = DiskContents.root
        try add(root, DiskContents.root)
        state.nodes = nodes
        return contents
    }

    // MARK: Failing

    /// A power failure at one moment.
    public struct Failure: CustomStringConvertible {
        /// What the disk lost.
        public var loss: PowerLoss
        /// What had been reported as done before.
        public var reported: [String]
        /// The loss, and the calls before it.
        public var description: String
    }

    /// Lets the power fail after 0, 1, 2, ... calls, and calls `body` with the folder as each left it.
    public func afterEachFailure(_ loss: PowerLoss, _ body: (Failure) throws -> Void) throws {
        let moments = state.withLock { $0.moments }
        var disk = VolatileDisk(moments[0].contents)
        // Many calls leave the same.
        var seen: Set<Outcome> = []
        var calls: [String] = []
        for (count, moment) in moments.enumerated() {
            if count > 0 { disk.advance(to: moment.contents, synchronised: moment.synchronised) }
            calls.append(moment.call)
            let contents = disk.contents(after: loss)
            let reported = count + 1 < moments.count ? moments[count + 1].marks : state.withLock { $0.marks }
            guard seen.insert(Outcome(contents: contents, reported: reported)).inserted else { continue }
            try rebuild(contents)
            try body(
                Failure(
                    loss: loss, reported: reported,
                    description: "\(loss.testDescription) after \(count) of \(moments.count - 1) calls, "
                        + "the last \(calls.suffix(4).joined(separator: ", "))"))
        }
    }

    private struct Outcome: Hashable {
        var contents: DiskContents
        var reported: [String]
    }

    private func rebuild(_ contents: DiskContents) throws {
        for name in try files.names(in: root) { try files.remove("\(root)/\(name)") }
        func add(_ directory: Int, at path: String) throws {
            for (name, node) in contents.entries(of: directory) {
                let place = "\(path)/\(name)"
                if let bytes = contents.files[node] {
                    guard link("\(vault)/\(node)", place) == 0 else {
                        throw FileError.last("give back its name", FilePath(place))
                    }
                    try FileWriter(creating: place).write(bytes[...])
                } else {
                    try files.makeDirectory(place)
                    try add(node, at: place)
                }
            }
        }
        try add(DiskContents.root, at: root)
    }
}
