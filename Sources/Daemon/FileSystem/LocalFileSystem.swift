import CLinux
import Glibc
import SystemPackage

/// The real file system.
package struct LocalFileSystem: StateFileSystem {
    /// Creates it.
    package init() {}

    package func status(_ path: FilePath) throws(FileError) -> FileStatus? {
        var status = stat()
        if path.withPlatformString({ lstat($0, &status) }) == 0 { return FileStatus(status) }
        let code = Errno(rawValue: errno)
        // Nothing can have a name below what is no directory.
        if code == .noSuchFileOrDirectory || code == .notDirectory { return nil }
        throw FileError(code, operation: "ask its status", path: path)
    }

    package func entries(_ directory: FilePath) throws(FileError) -> [FilePath.Component] {
        guard let stream = directory.withPlatformString({ opendir($0) }) else {
            throw .last("list", directory)
        }
        defer { closedir(stream) }
        var names: [FilePath.Component] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw .last("list", directory) }
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
        let descriptor = try openRegular(path)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 65_536))
        while bytes.count < limit {
            let count = pread(
                descriptor, &chunk, min(chunk.count, limit - bytes.count), off_t(start) + off_t(bytes.count))
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("read", path)
            }
            if count == 0 { break }
            bytes += chunk[..<count]
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
        guard status == 0 else { throw .last("rename to \(newPath.readable)", path) }
    }

    package func renameExclusively(_ path: FilePath, to newPath: FilePath) throws(FileError) {
        let status = path.withPlatformString { old in
            newPath.withPlatformString { dkp_rename_exclusively(old, $0) }
        }
        if status == 0 { return }
        let code = Errno(rawValue: errno)
        // A file system without the flag (NFS). Nobody but this daemon, which is alone by its lock, makes names in the
        // folders it renames to, so a look beforehand decides; and a directory never replaces one that is not empty.
        guard code == .invalidArgument || code == .noFunction || code == .notSupported else {
            throw FileError(code, operation: "rename to \(newPath.readable)", path: path)
        }
        if try self.status(newPath) != nil {
            throw FileError(.fileExists, operation: "rename to \(newPath.readable)", path: path)
        }
        try rename(path, to: newPath)
    }

    package func write(_ bytes: [UInt8], to path: FilePath) throws(FileError) {
        let name = (path.lastComponent?.string ?? "file") + ".tmp"
        let temporary = path.removingLastComponent().appending(name)
        let descriptor = try create(temporary)
        do throws(FileError) {
            defer { close(descriptor) }
            var written = 0
            while written < bytes.count {
                let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw .last("write", temporary) }
                written += count
            }
            guard fsync(descriptor) == 0 else { throw .last("write to the disk", temporary) }
        } catch {
            _ = temporary.withPlatformString { unlink($0) }
            throw error
        }
        do throws(FileError) {
            try rename(temporary, to: path)
        } catch {
            _ = temporary.withPlatformString { unlink($0) }
            throw error
        }
        try synchronise(path.removingLastComponent())
    }

    /// Makes a file that is new: what a crash left under its name, or somebody put there (a FIFO, a link), is removed and
    /// never opened.
    private func create(_ path: FilePath) throws(FileError) -> CInt {
        for _ in 0..<10 {
            let descriptor = path.withPlatformString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
            if descriptor >= 0 { return descriptor }
            guard errno == EEXIST else { throw .last("create", path) }
            try removeTree(path)
        }
        throw FileError(.fileExists, operation: "create", path: path)
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

    /// Opens a regular file for reading; nothing else is opened, followed or woken.
    package func openRegular(_ path: FilePath) throws(FileError) -> CInt {
        let descriptor = path.withPlatformString { dkp_open_regular($0) }
        guard descriptor >= 0 else { throw .last("read", path) }
        return descriptor
    }
}

extension FileError {
    /// The error of the system call that has just failed.
    static func last(_ operation: String, _ path: FilePath) -> FileError {
        FileError(Errno(rawValue: errno), operation: operation, path: path)
    }
}
