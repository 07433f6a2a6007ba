import Glibc
import SystemPackage

/// The lock of a state folder: one daemon per folder, held until the process ends however it ends.
package struct StateLock: ~Copyable {
    /// Owned; closing it gives the lock up, so it lives as long as this value.
    private let descriptor: CInt

    /// Takes the lock and writes this process's number into the file.
    /// - Throws: `stateFolderInUse` naming the holder.
    package init(_ folder: StateFolder) throws(DaemonError) {
        let path = folder.lock
        let descriptor = path.withPlatformString { open($0, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644) }
        guard descriptor >= 0 else { throw DaemonError(.stateFolder, "\(FileError.last("open", path))") }
        if !Self.lock(descriptor) {
            let code = Errno(rawValue: errno)
            let holder = Self.content(descriptor)
            close(descriptor)
            guard code == .wouldBlock else {
                throw DaemonError(
                    .stateFolder, "\(FileError(code, operation: "lock", path: path))")
            }
            throw DaemonError(
                .stateFolderInUse,
                "\(folder.root.readable): another daemon, process \(holder), works on this folder; stop that one first, "
                    + "or give this one a --state-dir of its own")
        }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count else {
            let error = FileError.last("write", path)
            close(descriptor)
            throw DaemonError(.stateFolder, "\(error)")
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Whether a daemon works on the folder at this instant, and which process it is.
    package static func holder(_ folder: StateFolder) -> String? {
        let descriptor = folder.lock.withPlatformString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK ? nil : content(descriptor)
    }

    /// Takes the lock. Whoever only asks who holds it (``holder(_:)``) has it himself for an instant, so a lock that is
    /// not free is tried a few times.
    private static func lock(_ descriptor: CInt) -> Bool {
        for _ in 0..<10 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            guard errno == EWOULDBLOCK else { return false }
            usleep(20_000)
        }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    private static func content(_ descriptor: CInt) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return "unknown" }
        let digits = bytes[..<count].prefix { 48...57 ~= $0 }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }
}
