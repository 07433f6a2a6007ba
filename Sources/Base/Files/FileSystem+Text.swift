import Foundation
package import SystemPackage

/// The operations on paths that are text.
extension FileSystem {
    /// Creates a directory; its parent must be there.
    package func makeDirectory(_ path: String) throws(FileError) { try makeDirectory(FilePath(path)) }

    /// Creates a directory and the missing ones above it; one that is there already is fine.
    package func makeDirectories(_ path: String) throws(FileError) {
        let reason: FileError
        do throws(FileError) {
            return try makeDirectory(path)
        } catch {
            reason = error
        }
        if reason.isTaken, isDirectory(path) { return }
        let parent = TextPath.parent(of: path)
        guard reason.isMissing, !path.isEmpty, parent != path, parent != "." else { throw reason }
        try makeDirectories(parent)
        do throws(FileError) {
            try makeDirectory(path)
        } catch {
            if !error.isTaken { throw error }
        }
    }

    /// Whether there is anything of that name, a dangling link included.
    package func exists(_ path: String) -> Bool { ((try? status(FilePath(path))) ?? nil) != nil }

    /// Renames within one file system, replacing a file of the new name.
    package func rename(_ path: String, to newPath: String) throws(FileError) {
        try rename(FilePath(path), to: FilePath(newPath))
    }

    /// Makes the names in a directory survive a power cut.
    package func synchroniseDirectory(_ path: String) throws(FileError) { try synchronise(FilePath(path)) }

    /// Removes a file or a whole directory; one that is not there is fine.
    package func remove(_ path: String) throws(FileError) { try removeTree(FilePath(path)) }

    /// The names in a directory, sorted.
    package func names(in directory: String) throws(FileError) -> [String] {
        try entries(FilePath(directory)).map(\.string).sorted()
    }

    /// Whether there is a directory of that name (a link to one counts).
    package func isDirectory(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether this user may not look into a directory.
    package func isClosed(_ directory: FilePath) -> Bool {
        directory.withPlatformString { access($0, X_OK) } != 0 && Errno.last == .permissionDenied
    }

    /// The bytes of a file of at most `limit` bytes.
    package func contents(of path: String, limit: Int = 64 << 20) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try readChunks(path) { chunk in
            guard bytes.count + chunk.count <= limit else {
                throw FileError(
                    .tooLarge, FilePath(path), "is larger than the \(limit) bytes that such a file may have")
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
    package func readChunks(
        _ path: String, followingLinks: Bool = true, limit: Int = .max, largest: Int = .max,
        _ body: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        let file = try RegularFile(FilePath(path), followingLinks: followingLinks)
        guard file.size <= largest else {
            throw FileError(
                .tooLarge, FilePath(path), "has \(file.size) bytes, above the limit of \(largest) bytes")
        }
        try file.readChunks(limit: limit, body)
    }

    /// Replaces a file in one instant: readers see the old bytes or the new, never a part.
    /// - Parameters:
    ///   - durably: whether the new bytes must survive a power cut once this returns.
    ///   - staging: the directory, on the same file system, in which the new file is made; nil for the file's own.
    ///   - name: what the new file is called meanwhile; fixed where there is one writer, and where nobody would remove
    ///     what a killed one left.
    package func replace(
        _ path: String, with bytes: [UInt8], durably: Bool, from staging: String? = nil,
        temporary name: DurableFile.TemporaryName = .unique
    ) throws(FileError) {
        try DurableFile.write(
            bytes, to: FilePath(path), from: staging.map { FilePath($0) }, temporary: name, durably: durably)
    }

    /// Makes sure that there is a regular file that may be read.
    package func requireReadable(_ path: String) throws(FileError) {
        do throws(FileError) {
            _ = try RegularFile(FilePath(path))
        } catch {
            throw error.code == .notFound
                ? FileError(.notFound, FilePath(path), "no such file", remedy: "check the path", cause: error.cause)
                : error
        }
    }
}

/// Parts of paths that are text.
package enum TextPath {
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
