package import SystemPackage

/// The operations that protocols on files are made of. Every change is one system call or, for
/// ``write(_:to:)``, one that is atomic by construction, so that "a crash between any two" can be tested by making any
/// one of them the last.
package protocol FileSystem: Sendable {
    /// The status of what has this name, nil if nothing has. Symbolic links are not followed.
    func status(_ path: FilePath) throws(FileError) -> FileStatus?
    /// The names in a directory, without "." and "..", in no order.
    func entries(_ directory: FilePath) throws(FileError) -> [FilePath.Component]
    /// At most `limit` bytes of a regular file, from byte `start` on.
    func read(_ path: FilePath, from start: Int64, limit: Int) throws(FileError) -> [UInt8]

    /// Lets those write in a directory who may write in a folder, whatever the umask was when it was made.
    func share(_ directory: FilePath, with folder: FilePath) throws(FileError)
    /// Makes an empty file in a directory, under a name of its own that the daemon leaves alone.
    func stage(in directory: FilePath) throws(FileError) -> StagedFile
    /// Makes a directory; fails if the name is taken.
    func makeDirectory(_ path: FilePath) throws(FileError)
    /// Renames, replacing a file of the new name.
    func rename(_ path: FilePath, to newPath: FilePath) throws(FileError)
    /// Renames, failing with `Errno.fileExists` if the new name is taken.
    func renameExclusively(_ path: FilePath, to newPath: FilePath) throws(FileError)
    /// Writes a file so that it has, even after a power cut, either its old content or all of the new.
    func write(_ bytes: [UInt8], to path: FilePath) throws(FileError)
    /// Removes a file; not an error if there is none.
    func removeFile(_ path: FilePath) throws(FileError)
    /// Removes an empty directory; not an error if there is none.
    func removeDirectory(_ path: FilePath) throws(FileError)
    /// Makes the names in a directory, or the content of a file, survive a power cut.
    func synchronise(_ path: FilePath) throws(FileError)
}

extension FileSystem {
    package func share(_ directory: FilePath, with folder: FilePath) throws(FileError) {
        try LocalFileSystem().share(directory, with: folder)
    }

    package func stage(in directory: FilePath) throws(FileError) -> StagedFile { try StagedFile(in: directory) }

    /// The first `limit` bytes of a regular file.
    package func read(_ path: FilePath, limit: Int) throws(FileError) -> [UInt8] {
        try read(path, from: 0, limit: limit)
    }

    /// Removes a directory and everything in it; not an error if there is none. Each directory is held open while it is
    /// emptied: no link is followed, and none that is put in the place of a directory meanwhile either. What cannot be
    /// removed does not save the rest; the first error is thrown at the end.
    package func removeTree(_ path: FilePath) throws(FileError) {
        guard let status = try status(path) else { return }
        guard status.kind == .directory else { return try removeFile(path) }
        let held: DirectoryHandle
        do throws(FileError) {
            held = try DirectoryHandle(path)
        } catch {
            if error.isMissing { return }
            throw error
        }
        var failure: FileError?
        do throws(FileError) {
            for name in try entries(held.path) {
                do throws(FileError) { try removeTree(held.path.appending(name)) } catch { failure = failure ?? error }
            }
        } catch {
            failure = failure ?? error
        }
        if let failure { throw failure.relocated(from: held.path, to: path) }
        try removeDirectory(path)
    }

    /// Renames a file over another or to a new name, also when both names are links to one file (where the system call
    /// alone would do nothing).
    package func move(_ path: FilePath, to newPath: FilePath) throws(FileError) {
        try rename(path, to: newPath)
        try removeFile(path)
    }

    /// Makes a directory if there is none; fails if the name is taken by something else.
    package func ensureDirectory(_ path: FilePath) throws(FileError) {
        switch try status(path)?.kind {
        case .directory: return
        case .none: try makeDirectory(path)
        case .some: throw FileError(.notDirectory, "use it as a directory", path)
        }
    }
}
