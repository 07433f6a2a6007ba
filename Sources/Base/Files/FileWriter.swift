import Glibc
package import SystemPackage

/// A file being written, closed at the end of its life.
package struct FileWriter: ~Copyable, Sendable {
    private let descriptor: CInt
    private let path: FilePath

    /// Creates the file, or empties one that is there. No link is followed, and nothing but a regular file opened.
    package init(creating path: FilePath) throws(FileError) {
        try self.init(path, O_CREAT | O_TRUNC)
    }

    /// Opens the file to add to its end, creating it if it is missing. No link is followed, and nothing but a regular file
    /// opened.
    package init(appendingTo path: FilePath) throws(FileError) {
        try self.init(path, O_CREAT | O_APPEND)
    }

    /// As ``init(creating:)``, of a path as text.
    package init(creating path: String) throws(FileError) { try self.init(creating: FilePath(path)) }

    /// As ``init(appendingTo:)``, of a path as text.
    package init(appendingTo path: String) throws(FileError) { try self.init(appendingTo: FilePath(path)) }

    private init(_ path: FilePath, _ flags: CInt) throws(FileError) {
        // Non-blocking: opening a FIFO must not wait for its reader.
        descriptor = path.withPlatformString {
            open($0, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0o666)
        }
        self.path = path
        if descriptor < 0 { throw .last("write", path) }
        try requireRegular(descriptor, path)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Adds bytes.
    package borrowing func write(_ bytes: ArraySlice<UInt8>) throws(FileError) {
        try writeAll(bytes, to: descriptor, path)
    }

    /// Makes what was written survive a power cut.
    package borrowing func synchronise() throws(FileError) {
        if fsync(descriptor) != 0 { throw .last("write to the disk", path) }
    }

    /// The file's size in bytes.
    package borrowing func size() throws(FileError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("ask its status", path) }
        return Int(status.st_size)
    }

    /// Cuts the file to so many bytes. This works on a full disk, too.
    package borrowing func truncate(to size: Int) throws(FileError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw .last("shorten", path) }
    }
}

/// Writes all of some bytes.
func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: CInt, _ path: FilePath) throws(FileError) {
    var rest = bytes
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { bytes in
            uninterrupted { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
        }
        guard count >= 0 else { throw .last("write", path) }
        rest = rest.dropFirst(count)
    }
}

/// Refuses what was opened for writing and is no regular file.
func requireRegular(_ descriptor: CInt, _ path: FilePath) throws(FileError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .last("write", path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path, .writing) }
}
