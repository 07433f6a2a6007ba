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
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
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

    private static func content(_ descriptor: CInt) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return "unknown" }
        let digits = bytes[..<count].prefix { 48...57 ~= $0 }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }
}
