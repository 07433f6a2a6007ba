import CLinux
import Glibc
package import SystemPackage

/// A small file that is there to be locked; the system lets go of the locks when this value or the process ends.
package struct LockFile: ~Copyable, Sendable {
    private let descriptor: CInt
    private let path: FilePath

    /// Opens the file, creating it if it is missing. No link is followed, and nothing but a regular file opened.
    /// - Parameter mode: the permissions of a new one, before the umask.
    package init(_ path: FilePath, mode: UInt32 = 0o666) throws(FileError) {
        // Non-blocking: opening a FIFO must not wait.
        descriptor = path.withPlatformString {
            open($0, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode)
        }
        self.path = path
        guard descriptor >= 0 else { throw .last("open", path) }
        try requireRegular(descriptor, path)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Takes the lock of the whole file (flock), without waiting.
    /// - Returns: false if another has it.
    package borrowing func lock() throws(FileError) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        guard Errno.last == .wouldBlock else { throw .last("lock", path) }
        return false
    }

    /// Locks it for this open description of it alone, in a way that others can ask about without taking a lock, and
    /// without waiting.
    /// - Returns: false if another has it.
    package borrowing func lockDescription() throws(FileError) -> Bool {
        if dkp_lock_description(descriptor) == 0 { return true }
        guard Errno.last == .wouldBlock || Errno.last == .permissionDenied else { throw .last("lock", path) }
        return false
    }

    /// Whether another open description has it locked by ``lockDescription()``.
    package var isDescriptionLocked: Bool { dkp_is_description_locked(descriptor) == 1 }

    /// Whether what has its name is still this very file.
    package var isInPlace: Bool { isSameFile(descriptor, at: path) }

    /// Whether what has this name is this very file.
    package borrowing func isFile(at path: FilePath) -> Bool { isSameFile(descriptor, at: path) }

    /// Sets its permissions, as far as that is allowed.
    package borrowing func setMode(_ mode: UInt32) { _ = fchmod(descriptor, mode) }

    /// At most so many of its first bytes; none where it cannot be read.
    package borrowing func contents(limit: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = pread(descriptor, &bytes, limit, 0)
        return Array(bytes.prefix(max(0, count)))
    }

    /// Writes over what it holds. A full disk has room for as much as was there.
    package borrowing func replaceContents(with bytes: [UInt8]) throws(FileError) {
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count,
            ftruncate(descriptor, off_t(bytes.count)) == 0
        else { throw .last("write", path) }
    }
}
