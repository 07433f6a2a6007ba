import Files
import Glibc
import Synchronization
package import SystemPackage

/// The lock of a state folder: one daemon per folder, held until the process ends however it ends.
///
/// It is two files. `dkpd.lock` decides; only the daemon's own user can open it, so that nobody else can hold it. From
/// `dkpd.pid`, which all may read, everybody else tells whether a daemon is up: it is locked too, and its lock is only
/// asked for, never taken, by who wants to know. A second daemon needs both.
package final class StateLock: Sendable {
    private struct Held: ~Copyable {
        var lock: LockFile
        var process: LockFile
    }

    private let folder: StateFolder
    private let held: Mutex<Held>

    /// Takes the lock and writes this process's number into both files.
    /// - Throws: `stateFolderInUse` naming the holder, or `stateFolder`.
    package init(_ folder: StateFolder) throws(DaemonError) {
        self.folder = folder
        held = Mutex(Held(lock: try Self.takeLock(folder), process: try Self.takeProcessFile(folder)))
    }

    /// Makes sure that the lock is still the folder's: a file of it that was removed or replaced is made and locked anew.
    /// - Returns: the files that were; empty if all is well.
    /// - Throws: `stateFolderInUse` if another daemon has come in meanwhile: this one must end. `stateFolder` if it cannot
    ///   be told now.
    package func renew() throws(DaemonError) -> [FilePath] {
        try held.withLock { held throws(DaemonError) in
            var renewed: [FilePath] = []
            if !held.lock.isInPlace {
                held.lock = try Self.takeLock(folder)
                renewed.append(folder.lock)
            }
            if !held.process.isFile(at: folder.processFile) {
                held.process = try Self.takeProcessFile(folder)
                renewed.append(folder.processFile)
            }
            return renewed
        }
    }

    /// Whether a daemon works on the folder at this instant, and which process it is.
    package static func holder(_ folder: StateFolder) -> String? {
        guard let file = try? RegularFile(folder.processFile, followingLinks: false), file.isDescriptionLocked else {
            return nil
        }
        return number(in: (try? file.read(count: numberLength)) ?? [])
    }

    /// Opens the file that decides, and locks the very file that has its name afterwards.
    private static func takeLock(_ folder: StateFolder) throws(DaemonError) -> LockFile {
        var holder = "unknown"
        do throws(FileError) {
            while true {
                let file = try LockFile(folder.lock, mode: 0o600)
                // One of an earlier version could be opened, and so locked, by others.
                file.setMode(0o600)
                guard try lock(file) else {
                    holder = number(in: file.contents(limit: numberLength))
                    break
                }
                if file.isInPlace { return try marked(file) }
            }
        } catch {
            throw failure(error)
        }
        throw inUse(folder, by: holder)
    }

    /// Locks the file from which others tell that a daemon is up. One that somebody else has locked as a reader, which
    /// all who can read it may, is replaced: nobody can have locked the new one before it is in place.
    private static func takeProcessFile(_ folder: StateFolder) throws(DaemonError) -> LockFile {
        let path = folder.processFile
        do throws(FileError) {
            let present = try LockFile(path, mode: 0o644)
            if (try? present.lockDescription()) == true, present.isInPlace { return try marked(present) }
            if !present.isDescriptionLocked {
                let new = path.removingLastComponent().appending(".dkpd.pid.new")
                try LocalFileSystem().removeFile(new)
                let file = try LockFile(new, mode: 0o644)
                guard try file.lockDescription() else { throw FileError(.wouldBlock, "lock", new) }
                let complete = try marked(file)
                try LocalFileSystem().rename(new, to: path)
                return complete
            }
        } catch {
            throw failure(error)
        }
        throw inUse(folder, by: holder(folder) ?? "unknown")
    }

    /// A lock file with this process's number in it.
    private static func marked(_ file: consuming LockFile) throws(FileError) -> LockFile {
        try file.replaceContents(with: Array("\(getpid())\n".utf8))
        return file
    }

    /// Takes the lock. A command that gives a job up where no daemon is has it for an instant, so a lock that is not free
    /// is tried a few times.
    private static func lock(_ file: borrowing LockFile) throws(FileError) -> Bool {
        for _ in 0..<10 {
            if try file.lock() { return true }
            usleep(20_000)
        }
        return try file.lock()
    }

    /// More than the digits of any process's number.
    private static let numberLength = 32

    private static func number(in bytes: [UInt8]) -> String {
        let digits = bytes.prefix { 48...57 ~= $0 }
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
