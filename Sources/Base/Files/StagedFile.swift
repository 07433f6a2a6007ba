import CLinux
import Glibc
package import SystemPackage

/// A new file on its way into the inbox: under a name that the daemon leaves alone until it is renamed, and locked for as
/// long as its maker lives, so that what a killed one leaves can be told from what is still being made.
package final class StagedFile {
    /// Where it is now; whoever renames it says so here.
    package var path: FilePath
    /// Held for the lock, open for reading only: a file that is open for writing counts as not complete.
    private let descriptor: CInt
    private var writer: CInt

    /// How all names of files that are being made begin.
    package static let prefix = ".dkp-submit-"

    /// Makes an empty file of a new name.
    package init(in directory: FilePath) throws(FileError) {
        while true {
            let path = directory.appending(
                "\(Self.prefix)\(getpid())-\(UInt64.random(in: .min ... .max))")
            let writer = path.withPlatformString {
                open($0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
            }
            if writer < 0 && Errno.last == .fileExists { continue }
            guard writer >= 0 else { throw .last("create", path) }
            let descriptor = path.withPlatformString { dkp_open_regular($0) }
            if descriptor >= 0, Self.lock(descriptor, path) {
                self.path = path
                self.descriptor = descriptor
                self.writer = writer
                return
            }
            let error = FileError.last("read", path, .reading)
            if descriptor >= 0 { close(descriptor) }
            close(writer)
            // Gone before it was locked: taken for what a killed process had left.
            if descriptor >= 0 || error.isMissing { continue }
            _ = path.withPlatformString { unlink($0) }
            throw error
        }
    }

    /// Takes over a file whose maker is gone.
    /// - Returns: nil if its maker lives, or it is not there, no regular file, or closed to this user.
    package init?(abandoned path: FilePath) {
        let descriptor = path.withPlatformString { dkp_open_regular($0) }
        guard descriptor >= 0 else { return nil }
        guard Self.lock(descriptor, path) else {
            close(descriptor)
            return nil
        }
        self.path = path
        self.descriptor = descriptor
        writer = -1
    }

    deinit {
        if writer >= 0 { close(writer) }
        close(descriptor)
    }

    /// Whether what is at its path is still this very file.
    package var isInPlace: Bool { isSameFile(descriptor, at: path) }

    /// Adds bytes to its end.
    package func write(_ bytes: ArraySlice<UInt8>) throws(FileError) {
        try writeAll(bytes, to: writer, path)
    }

    /// Completes it: its bytes have reached the disk, and nobody has it open for writing.
    package func complete() throws(FileError) {
        guard fsync(writer) == 0 else { throw .last("write to the disk", path) }
        let writer = writer
        self.writer = -1
        guard close(writer) == 0 else { throw .last("write", path) }
    }

    /// Lets a user read it, by way of a group that both are in, whatever the umask is.
    /// - Parameter groups: those of the reader.
    /// - Returns: whether that user can read it.
    package func permit(_ reader: UserAccount, in groups: Set<UInt32>) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        if reader.number == 0 || reader.number == status.st_uid || status.st_mode & S_IROTH != 0 { return true }
        if groups.contains(status.st_gid) { return fchmod(descriptor, status.st_mode & 0o777 | S_IRGRP) == 0 }
        return false
    }

    private static func lock(_ descriptor: CInt, _ path: FilePath) -> Bool {
        flock(descriptor, LOCK_EX | LOCK_NB) == 0 && isSameFile(descriptor, at: path)
    }
}
