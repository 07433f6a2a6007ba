import Foundation

/// The few file operations that jobs need, each with its errors named.
package enum FileSystem {
    /// Creates a directory; its parent must be there.
    package static func makeDirectory(_ path: String) throws(FileSystemError) {
        if mkdir(path, 0o777) != 0 { throw .system(.writing, path, "created") }
    }

    /// Creates a directory and the missing ones above it; one that is there already is fine.
    package static func makeDirectories(_ path: String) throws(FileSystemError) {
        if mkdir(path, 0o777) == 0 { return }
        let reason = errno
        if reason == EEXIST, isDirectory(path) { return }
        let parent = parent(of: path)
        guard reason == ENOENT, !path.isEmpty, parent != path, parent != "." else {
            throw .system(.writing, path, "created as a directory", errno: reason)
        }
        try makeDirectories(parent)
        if mkdir(path, 0o777) != 0, errno != EEXIST { throw .system(.writing, path, "created") }
    }

    /// Whether there is a directory of that name (a link to one counts).
    package static func isDirectory(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether there is anything of that name, a dangling link included.
    package static func exists(_ path: String) -> Bool {
        var information = stat()
        return lstat(path, &information) == 0
    }

    /// Renames within one file system, replacing a file of the new name.
    package static func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        if Foundation.rename(path, newPath) != 0 {
            let reason = errno
            throw reason == ENOENT && !exists(path)
                ? .system(.reading, path, "renamed", errno: reason)
                : .system(.writing, newPath, "put in place", errno: reason)
        }
    }

    /// Makes the names in a directory survive a power cut.
    package static func synchroniseDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(.writing, path, "opened") }
        defer { close(descriptor) }
        if fsync(descriptor) != 0 { throw .system(.writing, path, "synchronised") }
    }

    /// Removes a file or a whole directory; one that is not there is fine.
    package static func remove(_ path: String) throws(FileSystemError) {
        guard exists(path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw FileSystemError(.inputOutput, path, "cannot be removed: \(error.localizedDescription)")
        }
    }

    /// The names in a directory, sorted.
    package static func names(in directory: String) throws(FileSystemError) -> [String] {
        guard let handle = opendir(directory) else { throw .system(.reading, directory, "listed") }
        defer { closedir(handle) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(handle) else {
                if errno != 0 { throw .system(.reading, directory, "listed") }
                return names.sorted()
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    /// The bytes of a file of at most `limit` bytes.
    package static func read(_ path: String, limit: Int = 64 << 20) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try readChunks(path) { chunk in
            guard bytes.count + chunk.count <= limit else {
                throw FileSystemError(.tooLarge, path, "is larger than the \(limit) bytes that such a file may have")
            }
            bytes.append(contentsOf: chunk)
        }
        return bytes
    }

    /// Reads a regular file piece by piece.
    /// - Parameters:
    ///   - followingLinks: false refuses a symbolic link, as for files from strangers.
    ///   - limit: how many bytes are read at most.
    ///   - largest: how many bytes the file may have: one with more is refused before any is read.
    package static func readChunks(
        _ path: String, followingLinks: Bool = true, limit: Int = .max, largest: Int = .max,
        _ body: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        // Non-blocking: opening a FIFO must not wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followingLinks ? 0 : O_NOFOLLOW))
        guard descriptor >= 0 else { throw FileSystemError.system(.reading, path, "read") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw FileSystemError.system(.reading, path, "read") }
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw FileSystemError(.notRegular, path, "is not a regular file; give the file itself")
        }
        let size = Int(information.st_size)
        guard size <= largest else {
            throw FileSystemError(.tooLarge, path, "has \(size) bytes, above the limit of \(largest) bytes")
        }
        // A small file needs no large buffer; one byte more tells its end.
        var buffer = [UInt8](repeating: 0, count: max(1, min(min(1 << 20, size) + 1, limit)))
        var left = limit
        while left > 0 {
            let count = buffer.withUnsafeMutableBytes {
                Foundation.read(descriptor, $0.baseAddress, min($0.count, left))
            }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileSystemError.system(.reading, path, "read") }
            if count == 0 { return }
            left -= count
            try body(buffer[..<count])
        }
    }

    /// Replaces a file in one instant: readers see the old bytes or the new, never a part.
    /// - Parameters:
    ///   - durably: whether the new bytes must survive a power cut once this returns.
    ///   - workshop: the directory, on the same file system, in which the new file is made; nil for the file's own.
    package static func replace(
        _ path: String, with bytes: some Collection<UInt8>, durably: Bool, by workshop: String? = nil
    ) throws(FileSystemError) {
        let name = name(of: path)
        let directory = parent(of: path)
        let temporary = "\(workshop ?? directory)/.\(name).\(getpid()).tmp"
        // What a killed process of the same number left, or what somebody else put there.
        unlink(temporary)
        let writer = try FileWriter(creating: temporary)
        do {
            try writer.write(Array(bytes)[...])
            if durably { try writer.synchronise() }
            try rename(temporary, to: path)
        } catch {
            unlink(temporary)
            throw error
        }
        if durably { try synchroniseDirectory(directory) }
    }

    /// Makes sure that there is a regular file that may be read.
    static func requireReadable(_ path: String) throws {
        do {
            try readChunks(path, limit: 0) { _ in }
        } catch let error as FileSystemError where error.code == .notFound {
            throw FileSystemError(.notFound, path, "no such file; check the path")
        }
    }

    /// Refuses what was opened for writing and is no regular file.
    static func requireRegular(_ descriptor: Int32, _ path: String) throws(FileSystemError) {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw .system(.writing, path, "written") }
        guard information.st_mode & S_IFMT == S_IFREG else {
            throw FileSystemError(.cannotCreate, path, "is not a regular file; move it away")
        }
    }

    /// The directory that a path is in, "." for a bare name.
    package static func parent(of path: String) -> String {
        let path = withoutTrailingSlashes(path)
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        let parent = withoutTrailingSlashes(path[..<slash])
        return parent.isEmpty ? "/" : String(parent)
    }

    /// The last part of a path, "/" for the root.
    package static func name(of path: String) -> String {
        let path = withoutTrailingSlashes(path)
        return path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) }
            ?? String(path)
    }

    /// By bytes: Foundation's own way with paths ends the process on some, such as "a".
    private static func withoutTrailingSlashes(_ path: some StringProtocol) -> Substring {
        var rest = Substring(path)
        while rest.utf8.count > 1, rest.utf8.last == UInt8(ascii: "/") {
            rest = Substring(rest.utf8.dropLast())
        }
        return rest
    }

    /// The path from the root, "." and ".." resolved, links not.
    package static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }
}

/// A file being written, closed at the end of its life.
package struct FileWriter: ~Copyable {
    private let descriptor: Int32
    private let path: String

    /// Creates the file, or empties one that is there.
    package init(creating path: String) throws(FileSystemError) {
        try self.init(path, O_CREAT | O_TRUNC)
    }

    /// Opens the file to add to its end, creating it if it is missing.
    package init(appendingTo path: String) throws(FileSystemError) {
        try self.init(path, O_CREAT | O_APPEND)
    }

    private init(_ path: String, _ flags: Int32) throws(FileSystemError) {
        // Non-blocking: opening a FIFO must not wait for its reader.
        descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0o666)
        self.path = path
        if descriptor < 0 { throw .system(.writing, path, "written") }
        try FileSystem.requireRegular(descriptor, path)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    package borrowing func write(_ bytes: ArraySlice<UInt8>) throws(FileSystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system(.writing, path, "written") }
            rest = rest.dropFirst(count)
        }
    }

    package borrowing func synchronise() throws(FileSystemError) {
        if fsync(descriptor) != 0 { throw .system(.writing, path, "synchronised") }
    }
}
