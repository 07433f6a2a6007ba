import Glibc
package import SystemPackage

/// Files that are there whole or not at all, even after a power cut.
///
/// The recipe: a temporary file on the same file system, all bytes written, fsync, rename over the final name, fsync of
/// the directory. A failure anywhere leaves the final name as it was and removes the temporary file.
public enum DurableFile {
    /// What a file is called while it is being made.
    package enum TemporaryName: Sendable {
        /// One that no other writer has, be it another thread: what a killed writer leaves stays until somebody removes it
        /// (see ``DurableFile/removeTemporaries(in:prefix:)``).
        case unique
        /// Always the same, for files with one writer at a time: what a killed one left is replaced by the next.
        case fixed
    }

    /// Writes bytes to a file, replacing any before it.
    ///
    /// - Parameters:
    ///   - staging: the directory, on the same file system, in which the new file is made before it is renamed into place;
    ///     nil for the file's own. When it is removed, nothing can be put in place from it any more.
    ///   - durably: false leaves out what makes it survive a power cut; it is still there whole or not at all.
    /// - Throws: ``FileError``. After a failure of the very last step, the directory's fsync, the new file is in place but
    ///   may not survive a power cut.
    package static func write(
        _ bytes: [UInt8], to path: FilePath, from staging: FilePath? = nil,
        temporary name: TemporaryName = .unique, durably: Bool = true, calls: FileCalls = .system
    ) throws(FileError) {
        guard let component = path.lastComponent, component.kind == .regular else {
            throw FileError(.cannotCreate, path, "is no name of a file", remedy: "check the path")
        }
        let directory = path.removingLastComponent()
        let temporary = (staging ?? directory).appending(temporaryName(of: component.string, name))
        do throws(FileError) {
            try writeAll(bytes, to: temporary, for: path, name, durably: durably, calls)
            guard calls.rename(temporary, path) == 0 else { throw .last("put in place", path) }
        } catch {
            _ = calls.unlink(temporary)
            throw error
        }
        if durably { try synchroniseDirectory(directory, calls) }
    }

    /// Writes text in UTF-8, as `write` writes bytes.
    package static func write(_ text: String, to path: FilePath) throws(FileError) {
        try write(Array(text.utf8), to: path)
    }

    /// Makes the names in a directory durable: to be called after a file in it was renamed or removed.
    package static func synchroniseDirectory(
        _ path: FilePath, _ calls: FileCalls = .system
    ) throws(FileError) {
        let path = path.isEmpty ? "." : path
        let descriptor = calls.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .last("open", path) }
        // EINVAL: a file system where there is nothing to synchronise.
        let failure: FileError? =
            calls.synchronise(descriptor) == 0 || Errno.last == .invalidArgument
            ? nil : .last("write to the disk", path)
        _ = calls.close(descriptor)
        if let failure { throw failure }
    }

    /// Removes the temporary files that killed writers left in a directory, of files whose names begin with `prefix`.
    ///
    /// Only for whoever alone writes files of such names: another's temporary file may be in the making.
    ///
    /// - Returns: how many were removed.
    /// - Throws: ``FileError`` if the directory cannot be listed.
    @discardableResult
    package static func removeTemporaries(in directory: FilePath, prefix: String) throws(FileError) -> Int {
        var count = 0
        for name in try LocalFileSystem().entries(directory)
        where name.string.hasPrefix("." + prefix) && name.string.hasSuffix(temporarySuffix) {
            if directory.appending(name).withPlatformString({ unlink($0) }) == 0 { count += 1 }
        }
        return count
    }

    /// How all names of files that are being made end.
    package static let temporarySuffix = ".dkp-tmp"
    /// Names of files have 255 bytes at most; so many are left for what is added.
    private static let longestStem = 200

    /// What a file of this name is called while it is being made.
    package static func temporaryName(of name: String, _ kind: TemporaryName) -> String {
        var stem = Substring(name)
        while stem.utf8.count > longestStem { stem.removeLast() }
        return switch kind {
        case .unique: ".\(stem).\(getpid())-\(UInt32.random(in: .min ... .max))\(temporarySuffix)"
        case .fixed: ".\(stem)\(temporarySuffix)"
        }
    }

    private static func writeAll(
        _ bytes: [UInt8], to temporary: FilePath, for path: FilePath, _ name: TemporaryName,
        durably: Bool, _ calls: FileCalls
    ) throws(FileError) {
        let descriptor = try create(temporary, for: path, name, calls)
        let failure = bytes.withUnsafeBytes { bytes -> FileError? in
            var rest = bytes
            while !rest.isEmpty {
                let left = rest
                let written = uninterrupted { calls.write(descriptor, left) }
                if written < 0 { return .last("write", path) }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return !durably || calls.synchronise(descriptor) == 0 ? nil : .last("write to the disk", path)
        }
        // Not retried: after EINTR the descriptor is closed on Linux. Checked: some systems report a full disk here.
        let closed = calls.close(descriptor)
        if let failure { throw failure }
        guard closed == 0 else { throw .last("close", path) }
    }

    /// Makes a file that is new: what a crash left under its name, or somebody put there (a FIFO, a link), is removed and
    /// never opened.
    private static func create(
        _ temporary: FilePath, for path: FilePath, _ name: TemporaryName, _ calls: FileCalls
    ) throws(FileError) -> CInt {
        for _ in 0..<10 {
            let descriptor = calls.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 { return descriptor }
            guard name == .fixed, Errno.last == .fileExists else { break }
            try LocalFileSystem().removeTree(temporary)
        }
        throw .last("write", path)
    }
}

/// The system calls that durable files are made of, so that tests can make each of them fail.
package struct FileCalls: Sendable {
    package var open: @Sendable (_ path: FilePath, _ flags: CInt, _ mode: CInterop.Mode) -> CInt
    package var write: @Sendable (_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int
    package var synchronise: @Sendable (_ descriptor: CInt) -> CInt
    package var close: @Sendable (_ descriptor: CInt) -> CInt
    package var rename: @Sendable (_ from: FilePath, _ to: FilePath) -> CInt
    package var unlink: @Sendable (_ path: FilePath) -> CInt

    /// The calls themselves.
    package static let system = FileCalls(
        open: { path, flags, mode in path.withPlatformString { Glibc.open($0, flags, mode) } },
        write: { Glibc.write($0, $1.baseAddress, $1.count) },
        synchronise: { Glibc.fsync($0) },
        close: { Glibc.close($0) },
        rename: { from, to in from.withPlatformString { old in to.withPlatformString { Glibc.rename(old, $0) } } },
        unlink: { path in path.withPlatformString { Glibc.unlink($0) } })
}
