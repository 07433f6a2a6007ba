import CLinux
import Glibc
package import SystemPackage

/// The real file system.
package struct LocalFileSystem: FileSystem {
    /// Creates it.
    package init() {}

    package func status(_ path: FilePath) throws(FileError) -> FileStatus? {
        var status = stat()
        if path.withPlatformString({ lstat($0, &status) }) == 0 { return FileStatus(status) }
        let code = Errno.last
        // Nothing can have a name below what is no directory.
        if code == .noSuchFileOrDirectory || code == .notDirectory { return nil }
        throw FileError(code, "ask its status", path, .reading)
    }

    package func entries(_ directory: FilePath) throws(FileError) -> [FilePath.Component] {
        guard let stream = directory.withPlatformString({ opendir($0) }) else {
            throw .last("list", directory, .reading)
        }
        defer { closedir(stream) }
        var names: [FilePath.Component] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw .last("list", directory, .reading) }
                return names
            }
            let capacity = MemoryLayout.size(ofValue: entry.pointee.d_name)
            let component = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: capacity) {
                    FilePath.Component(platformString: $0)
                }
            }
            guard let component, component.kind == .regular else { continue }
            names.append(component)
        }
    }

    package func read(_ path: FilePath, from start: Int64, limit: Int) throws(FileError) -> [UInt8] {
        let file = try RegularFile(path, followingLinks: false)
        var bytes: [UInt8] = []
        // By pieces, as a limit may be anything, and to the end, as the files of /proc claim to be empty.
        while bytes.count < limit {
            let piece = try file.read(from: Int(start) + bytes.count, count: min(65_536, limit - bytes.count))
            if piece.isEmpty { break }
            bytes += piece
        }
        return bytes
    }

    package func share(_ directory: FilePath, with folder: FilePath) throws(FileError) {
        guard let model = try status(folder), let own = try status(directory), own.kind == .directory else { return }
        let missing = model.permissions & UInt32(S_IWGRP | S_IWOTH) & ~own.permissions
        if missing == 0 { return }
        // Without the set-group-ID bit, which the service's RestrictSUIDSGID= lets nobody ask for.
        guard directory.withPlatformString({ chmod($0, own.permissions & 0o777 | missing) }) == 0 else {
            throw .last("change the mode", directory)
        }
    }

    package func makeDirectory(_ path: FilePath) throws(FileError) {
        guard path.withPlatformString({ mkdir($0, 0o777) }) == 0 else { throw .last("make the directory", path) }
    }

    package func rename(_ path: FilePath, to newPath: FilePath) throws(FileError) {
        let status = path.withPlatformString { old in newPath.withPlatformString { Glibc.rename(old, $0) } }
        if status != 0 { throw Self.renamingError(.last, path, newPath) }
    }

    /// What is not there is missing; all else is said of the place where it was to go.
    private static func renamingError(_ cause: Errno, _ path: FilePath, _ newPath: FilePath) -> FileError {
        var status = stat()
        let isMissing = cause == .noSuchFileOrDirectory && path.withPlatformString { lstat($0, &status) } != 0
        return FileError(cause, "rename to \(newPath.readable)", path, isMissing ? .reading : .writing)
    }

    package func renameExclusively(_ path: FilePath, to newPath: FilePath) throws(FileError) {
        let status = path.withPlatformString { old in
            newPath.withPlatformString { dkp_rename_exclusively(old, $0) }
        }
        if status == 0 { return }
        let code = Errno.last
        // A file system without the flag (NFS). Nobody but this daemon, which is alone by its lock, makes names in the
        // folders it renames to, so a look beforehand decides; and a directory never replaces one that is not empty.
        guard code == .invalidArgument || code == .noFunction || code == .notSupported else {
            throw Self.renamingError(code, path, newPath)
        }
        if try self.status(newPath) != nil {
            throw FileError(.fileExists, "rename to \(newPath.readable)", path)
        }
        try rename(path, to: newPath)
    }

    package func write(_ bytes: [UInt8], to path: FilePath) throws(FileError) {
        try DurableFile.write(bytes, to: path, temporary: .fixed)
    }

    package func removeFile(_ path: FilePath) throws(FileError) {
        guard path.withPlatformString({ unlink($0) }) == 0 || errno == ENOENT || errno == ENOTDIR else {
            throw .last("remove", path)
        }
    }

    package func removeDirectory(_ path: FilePath) throws(FileError) {
        guard path.withPlatformString({ rmdir($0) }) == 0 || errno == ENOENT else { throw .last("remove", path) }
    }

    package func synchronise(_ path: FilePath) throws(FileError) {
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        guard descriptor >= 0 else { throw .last("open", path) }
        defer { close(descriptor) }
        // EINVAL: a file system where there is nothing to synchronise.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw .last("write to the disk", path) }
    }
}
