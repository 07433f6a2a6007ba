import Files
import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite struct `Durable files` {
    private static let old = Array("the old contents".utf8)
    private static let new = [UInt8](repeating: 7, count: 100_000)

    @Test func `a file is replaced whole and nothing else is left`() throws {
        try withTemporaryDirectory { name in
            let directory = FilePath(name)
            let path = directory.appending("report.json")
            try DurableFile.write("{}", to: path)
            try DurableFile.write(Self.new, to: path)
            #expect(try contents(path) == Self.new)
            #expect(try names(directory) == ["report.json"])
        }
    }

    /// A call to make fail, and the error that must come of it.
    struct Failure: Sendable, CustomTestStringConvertible {
        let call: String
        let number: Int32
        let code: FileError.Code
        var testDescription: String { "\(call) fails with errno \(number)" }
    }

    @Test(arguments: [
        Failure(call: "open", number: EACCES, code: .cannotCreate),
        Failure(call: "open", number: ENOSPC, code: .noSpace),
        Failure(call: "write", number: ENOSPC, code: .noSpace),
        Failure(call: "write", number: EDQUOT, code: .noSpace),
        Failure(call: "write", number: EIO, code: .inputOutput),
        Failure(call: "synchronise", number: ENOSPC, code: .noSpace),
        Failure(call: "synchronise", number: EIO, code: .inputOutput),
        Failure(call: "close", number: ENOSPC, code: .noSpace),
        Failure(call: "rename", number: EROFS, code: .cannotCreate),
    ])
    func `a failure leaves the old file and no temporary`(failure: Failure) throws {
        try withTemporaryDirectory { name in
            let directory = FilePath(name)
            let path = directory.appending("checkpoint.h5")
            try DurableFile.write(Self.old, to: path)
            #expect {
                try DurableFile.write(Self.new, to: path, calls: .failing(failure.call, with: failure.number))
            } throws: { error in
                (error as? FileError)?.code == failure.code && "\(error)".contains(path.string)
            }
            #expect(try contents(path) == Self.old)
            #expect(try names(directory) == ["checkpoint.h5"])
        }
    }

    @Test func `short and interrupted writes are continued`() throws {
        try withTemporaryDirectory { name in
            let directory = FilePath(name)
            let turn = Mutex(0)
            var calls = FileCalls.system
            calls.write = { descriptor, bytes in
                let interrupted = turn.withLock { turn in
                    turn += 1
                    return turn % 2 == 0
                }
                if interrupted {
                    errno = EINTR
                    return -1
                }
                return FileCalls.system.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes.prefix(30_001)))
            }
            try DurableFile.write(Self.new, to: directory.appending("file"), calls: calls)
            #expect(try contents(directory.appending("file")) == Self.new)
        }
    }

    @Test func `the steps come in the order that survives a power cut`() throws {
        try withTemporaryDirectory { name in
            let directory = FilePath(name)
            let log = CallLog()
            try DurableFile.write(Self.old, to: directory.appending("file"), calls: .logged(to: log))
            #expect(
                log.entries == [
                    "open", "write", "synchronise", "close", "rename", "open", "synchronise", "close",
                ])
        }
    }

    @Test func `a missing directory is named`() {
        #expect { try DurableFile.write("x", to: "/nowhere/at/all.json") } throws: { error in
            (error as? FileError)?.isMissing == true && "\(error)".contains("/nowhere/at/all.json")
        }
    }

    @Test func `left-over temporaries are removed by prefix`() throws {
        try withTemporaryDirectory { name in
            let directory = FilePath(name)
            for name in [".report.json.1-2.dkp-tmp", ".other.1-2.dkp-tmp", ".report.json", "report.json"] {
                try Data().write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
            }
            #expect(try DurableFile.removeTemporaries(in: directory, prefix: "report") == 1)
            #expect(try names(directory) == [".other.1-2.dkp-tmp", ".report.json", "report.json"])
        }
    }

    private func contents(_ path: FilePath) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path.string)))
    }
    private func names(_ path: FilePath) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path.string).sorted()
    }
}

/// The names of the system calls made, in order.
private final class CallLog: Sendable {
    private let log = Mutex<[String]>([])
    var entries: [String] { log.withLock { $0 } }
    func add(_ name: String) { log.withLock { $0.append(name) } }
}

extension FileCalls {
    /// The system's calls, but for one that always fails.
    fileprivate static func failing(_ call: String, with number: Int32) -> FileCalls {
        @Sendable func fail() -> CInt {
            errno = number
            return -1
        }
        var calls = system
        switch call {
        case "open": calls.open = { _, _, _ in fail() }
        case "write": calls.write = { _, _ in Int(fail()) }
        case "synchronise": calls.synchronise = { _ in fail() }
        case "close":
            calls.close = {
                _ = system.close($0)
                return fail()
            }
        case "rename": calls.rename = { _, _ in fail() }
        default: Issue.record("no call \(call)")
        }
        return calls
    }

    /// The system's calls, written down.
    fileprivate static func logged(to log: CallLog) -> FileCalls {
        var calls = system
        calls.open = { path, flags, mode in
            log.add("open")
            return system.open(path, flags, mode)
        }
        calls.write = { descriptor, bytes in
            log.add("write")
            return system.write(descriptor, bytes)
        }
        calls.synchronise = { descriptor in
            log.add("synchronise")
            return system.synchronise(descriptor)
        }
        calls.close = { descriptor in
            log.add("close")
            return system.close(descriptor)
        }
        calls.rename = { from, to in
            log.add("rename")
            return system.rename(from, to)
        }
        return calls
    }
}
