import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `The lock of a state folder` {
    private func withFolder(_ body: (StateFolder) throws -> Void) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            try body(folder)
        }
    }

    @Test func `is held once, told to who asks, and free again`() throws {
        try withFolder { folder in
            #expect(StateLock.holder(folder) == nil)
            let lock = try StateLock(folder)
            #expect(StateLock.holder(folder) == "\(getpid())")
            #expect(throws: DaemonError.self) { _ = try StateLock(folder) }
            #expect(try lock.renew() == [])
            withExtendedLifetime(lock) {}
        }
        try withFolder { folder in
            do { _ = try StateLock(folder) }
            #expect(StateLock.holder(folder) == nil)
            _ = try StateLock(folder)
        }
    }

    @Test func `can be opened by nobody else, one of an earlier version too`() throws {
        try withFolder { folder in
            try drop("", folder.lock)
            #expect(chmod(folder.lock.string, 0o644) == 0)
            let lock = try StateLock(folder)
            #expect(try LocalFileSystem().status(folder.lock)?.permissions == 0o600)
            withExtendedLifetime(lock) {}
        }
    }

    @Test func `is not kept from a daemon by a reader who locks what all can read`() throws {
        try withFolder { folder in
            try drop("1\n", folder.root.appending("dkpd.pid"))
            let reader = open(folder.root.appending("dkpd.pid").string, O_RDONLY)
            defer { close(reader) }
            var request = flock()
            request.l_type = Int16(F_RDLCK)
            #expect(fcntl(reader, F_SETLK, &request) == 0)
            #expect(flock(reader, LOCK_SH | LOCK_NB) == 0)
            let lock = try StateLock(folder)
            #expect(StateLock.holder(folder) == "\(getpid())")
            withExtendedLifetime(lock) {}
        }
    }

    @Test(arguments: ["dkpd.lock", "dkpd.pid"])
    func `is made anew when one of its files is removed, and nobody gets in meanwhile`(_ name: String) throws {
        try withFolder { folder in
            let lock = try StateLock(folder)
            try LocalFileSystem().removeFile(folder.root.appending(name))
            if name == "dkpd.lock" { #expect(throws: DaemonError.self) { _ = try StateLock(folder) } }
            #expect(try lock.renew() == [folder.root.appending(name)])
            #expect(throws: DaemonError.self) { _ = try StateLock(folder) }
            #expect(StateLock.holder(folder) == "\(getpid())")
        }
    }

    @Test func `tells its holder when another has come in because both files were removed`() throws {
        try withFolder { folder in
            let lock = try StateLock(folder)
            for name in ["dkpd.lock", "dkpd.pid"] { try LocalFileSystem().removeFile(folder.root.appending(name)) }
            let other = try StateLock(folder)
            let error = #expect(throws: DaemonError.self) { try lock.renew() }
            #expect(error?.code == .stateFolderInUse)
            withExtendedLifetime(other) {}
        }
    }

    @Test func `that is no file is an error, not a wait`() throws {
        try withFolder { folder in
            #expect(mkfifo(folder.lock.string, 0o666) == 0)
            #expect(throws: DaemonError.self) { _ = try StateLock(folder) }
            #expect(StateLock.holder(folder) == nil)
        }
    }

    @Test func `that was taken over ends the daemon that had it`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await daemon.waitUntilReady()
            let folder = StateFolder(daemon.state)
            try LocalFileSystem().removeFile(folder.lock)
            try await wait(for: "a new lock: \(daemon.log)") { try LocalFileSystem().status(folder.lock) != nil }
            #expect(daemon.log.contains("had been removed"))
            for name in ["dkpd.lock", "dkpd.pid"] { try LocalFileSystem().removeFile(folder.root.appending(name)) }
            let other = try StateLock(folder)
            try await wait(for: "its end: \(daemon.log)") { !daemon.isRunning }
            #expect(daemon.log.contains("another daemon, process \(getpid())"))
            withExtendedLifetime(other) {}
        }
    }
}
