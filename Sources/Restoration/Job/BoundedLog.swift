import Foundation

/// A job's log, open for adding to its end, which never grows over a limit: where the next piece would take it there, the
/// file is first cut to half of the limit. So the beginning, which says what was done, and the latest are kept.
///
/// Everybody who writes into the log does it through this, and each piece is one append: two writers do not overwrite
/// each other, and each cuts for both.
package struct BoundedLog: ~Copyable, Sendable {
    /// The most that a job's log may hold, in bytes.
    package static let most = 16 << 20

    private let descriptor: Int32
    private let path: String
    private let most: Int

    /// Opens the log, creating it if it is missing. Nothing but a regular file is opened, and no link followed.
    /// - Parameter most: the most that it may hold, in bytes.
    package init(appendingTo path: String, most: Int = most) throws(FileSystemError) {
        // Non-blocking: opening a FIFO must not wait for its reader.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o666)
        var status = stat()
        guard descriptor >= 0 else {
            if lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG { throw Self.notRegular(path) }
            throw .system(path, "written")
        }
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw Self.notRegular(path)
        }
        self.descriptor = descriptor
        self.path = path
        self.most = most
    }

    deinit { close(descriptor) }

    /// Adds bytes to the end; of more than a quarter of the limit the last ones.
    package borrowing func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError) {
        var rest = bytes.suffix(most / 4)
        try cut(toAdd: rest.count)
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system(path, "written") }
            rest = rest.dropFirst(count)
        }
    }

    /// Cuts the log if there is no room in it for so many bytes more. This works on a full disk, too.
    package borrowing func cut(toAdd count: Int = 0) throws(FileSystemError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(path, "written") }
        guard status.st_size > most - count else { return }
        guard ftruncate(descriptor, off_t(most / 2)) == 0 else { throw .system(path, "shortened") }
        // Best left out where there is no room even for it.
        let note = Array("\n[the log had grown over \(most) bytes and was cut here]\n".utf8)
        _ = Foundation.write(descriptor, note, note.count)
    }

    private static func notRegular(_ path: String) -> FileSystemError {
        FileSystemError(.notRegular, path, "is not a regular file; move it away")
    }
}
