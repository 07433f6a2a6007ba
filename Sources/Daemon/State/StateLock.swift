import CLinux
import Glibc
import Synchronization
import SystemPackage

/// The lock of a state folder: one daemon per folder, held until the process ends however it ends.
///
/// It is two files. `dkpd.lock` decides; only the daemon's own user can open it, so that nobody else can hold it. From
/// `dkpd.pid`, which all may read, everybody else tells whether a daemon is up: it is locked too, and its lock is only
/// asked for, never taken, by who wants to know. A second daemon needs both.
package final class StateLock: Sendable {
    private struct Descriptors {
        var lock: CInt
        var process: CInt
    }

    private let folder: StateFolder
    private let descriptors: Mutex<Descriptors>

    /// Takes the lock and writes this process's number into both files.
    /// - Throws: `stateFolderInUse` naming the holder, or `stateFolder`.
    package init(_ folder: StateFolder) throws(DaemonError) {
        self.folder = folder
        let lock = try Self.takeLock(folder)
        do throws(DaemonError) {
            descriptors = Mutex(Descriptors(lock: lock, process: try Self.takeProcessFile(folder)))
        } catch {
            close(lock)
            throw error
        }
    }

    deinit {
        descriptors.withLock {
            close($0.process)
            close($0.lock)
        }
    }

    /// Makes sure that the lock is still the folder's: a file of it that was removed or replaced is made and locked anew.
    /// - Returns: the files that were; empty if all is well.
    /// - Throws: `stateFolderInUse` if another daemon has come in meanwhile: this one must end. `stateFolder` if it cannot
    ///   be told now.
    package func renew() throws(DaemonError) -> [FilePath] {
        let held = descriptors.withLock { $0 }
        var renewed: [FilePath] = []
        if !Self.isFile(held.lock, at: folder.lock) {
            let lock = try Self.takeLock(folder)
            descriptors.withLock { $0.lock = lock }
            close(held.lock)
            renewed.append(folder.lock)
        }
        if !Self.isFile(held.process, at: folder.processFile) {
            let process = try Self.takeProcessFile(folder)
            descriptors.withLock { $0.process = process }
            close(held.process)
            renewed.append(folder.processFile)
        }
        return renewed
    }

    /// Whether a daemon works on the folder at this instant, and which process it is.
    package static func holder(_ folder: StateFolder) -> String? {
        let descriptor = folder.processFile.withPlatformString { dkp_open_regular($0) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return dkp_is_description_locked(descriptor) == 1 ? content(descriptor) : nil
    }

    /// Opens the file that decides, and locks the very file that has its name afterwards.
    private static func takeLock(_ folder: StateFolder) throws(DaemonError) -> CInt {
        let path = folder.lock
        while true {
            let descriptor = try openOwn(path, mode: 0o600)
            // One of an earlier version could be opened, and so locked, by others.
            _ = fchmod(descriptor, 0o600)
            guard lock(descriptor) else {
                let code = Errno(rawValue: errno)
                defer { close(descriptor) }
                guard code == .wouldBlock else { throw failure(FileError(code, operation: "lock", path: path)) }
                throw inUse(folder, by: content(descriptor))
            }
            guard isFile(descriptor, at: path) else {
                close(descriptor)
                continue
            }
            return try complete(descriptor) { () throws(FileError) in try write(descriptor, path) }
        }
    }

    /// Locks the file from which others tell that a daemon is up. One that somebody else has locked as a reader, which
    /// all who can read it may, is replaced: nobody can have locked the new one before it is in place.
    private static func takeProcessFile(_ folder: StateFolder) throws(DaemonError) -> CInt {
        let path = folder.processFile
        let present = try openOwn(path, mode: 0o644)
        if dkp_lock_description(present) == 0, isFile(present, at: path) {
            return try complete(present) { () throws(FileError) in try write(present, path) }
        }
        let isTaken = dkp_is_description_locked(present) == 1
        let holder = content(present)
        close(present)
        if isTaken { throw inUse(folder, by: holder) }
        let new = path.removingLastComponent().appending(".dkpd.pid.new")
        _ = new.withPlatformString { unlink($0) }
        let descriptor = try openOwn(new, mode: 0o644)
        return try complete(descriptor) { () throws(FileError) in
            guard dkp_lock_description(descriptor) == 0 else { throw .last("lock", new) }
            try write(descriptor, new)
            try LocalFileSystem().rename(new, to: path)
        }
    }

    /// The descriptor, once `body` has done what is left to do with it; closed if that fails.
    private static func complete(
        _ descriptor: CInt, _ body: () throws(FileError) -> Void
    ) throws(DaemonError) -> CInt {
        do throws(FileError) {
            try body()
            return descriptor
        } catch {
            close(descriptor)
            throw failure(error)
        }
    }

    private static func openOwn(_ path: FilePath, mode: mode_t) throws(DaemonError) -> CInt {
        // O_NONBLOCK: opening a FIFO must not wait.
        let descriptor = path.withPlatformString {
            open($0, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode)
        }
        guard descriptor >= 0 else { throw failure(.last("open", path)) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw failure(FileError(.invalidArgument, operation: "use it as a lock", path: path))
        }
        return descriptor
    }

    /// Takes the lock. A command that gives a job up where no daemon is has it for an instant, so a lock that is not free
    /// is tried a few times.
    private static func lock(_ descriptor: CInt) -> Bool {
        for _ in 0..<10 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            guard errno == EWOULDBLOCK else { return false }
            usleep(20_000)
        }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    private static func isFile(_ descriptor: CInt, at path: FilePath) -> Bool {
        var (own, there) = (stat(), stat())
        return fstat(descriptor, &own) == 0 && path.withPlatformString { lstat($0, &there) } == 0
            && own.st_dev == there.st_dev && own.st_ino == there.st_ino
    }

    private static func write(_ descriptor: CInt, _ path: FilePath) throws(FileError) {
        let text = Array("\(getpid())\n".utf8)
        // What is there is written over first: a full disk has no room for less.
        guard pwrite(descriptor, text, text.count, 0) == text.count, ftruncate(descriptor, off_t(text.count)) == 0
        else {
            throw .last("write", path)
        }
    }

    private static func content(_ descriptor: CInt) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return "unknown" }
        let digits = bytes[..<count].prefix { 48...57 ~= $0 }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }

    private static func failure(_ error: FileError) -> DaemonError { DaemonError(.stateFolder, "\(error)") }

    private static func inUse(_ folder: StateFolder, by holder: String) -> DaemonError {
        DaemonError(
            .stateFolderInUse,
            "\(folder.root.readable): another daemon, process \(holder), works on this folder; stop that one first, "
                + "or give this one a --state-dir of its own")
    }
}
