import Foundation

/// Files that are there whole or not at all, even after a power cut.
///
/// The recipe: a temporary file in the same directory, all bytes written, fsync, rename over the final name, fsync of
/// the directory. A failure anywhere leaves the final name as it was and removes the temporary file.
public enum DurableFile {
    /// Writes bytes to a file, replacing any before it.
    ///
    /// - Parameter workshop: the directory, on the same file system, in which the new file is made before it is renamed
    ///   into place; nil for the file's own. When it is removed, nothing can be put in place from it any more.
    /// - Throws: ``CheckpointError`` with code `noSpace`, `permissionDenied`, `notFound` (no such directory) or
    ///   `inputOutput`. After a failure of the very last step, the directory's fsync, the new file is in place but may not
    ///   survive a power cut.
    public static func write(
        _ bytes: some ContiguousBytes, to path: String, by workshop: String? = nil
    ) throws(CheckpointError) {
        try write(bytes, to: path, by: workshop, calls: .system)
    }

    /// Writes text in UTF-8; as ``write(_:to:by:)``.
    public static func write(_ text: String, to path: String) throws(CheckpointError) {
        try write(Array(text.utf8), to: path)
    }

    /// Makes the names in a directory durable: to be called after a file in it was renamed or removed.
    ///
    /// - Throws: as ``write(_:to:by:)``.
    public static func synchroniseDirectory(_ path: String) throws(CheckpointError) {
        try synchroniseDirectory(path, calls: .system)
    }

    /// Removes the temporary files that killed writers left in a directory, of files whose names begin with `prefix`.
    ///
    /// Only for whoever alone writes files of such names: another's temporary file may be in the making.
    ///
    /// - Returns: how many were removed.
    /// - Throws: as ``write(_:to:by:)``, if the directory cannot be listed.
    @discardableResult
    public static func removeTemporaries(in directory: String, prefix: String) throws(CheckpointError) -> Int {
        let leftovers = try names(in: directory).filter {
            $0.hasPrefix("." + prefix) && $0.hasSuffix(temporarySuffix)
        }
        return leftovers.count { unlink("\(directory)/\($0)") == 0 }
    }

    /// The names in a directory, in no particular order.
    static func names(in directory: String) throws(CheckpointError) -> [String] {
        guard let stream = opendir(directory) else { throw systemError("cannot list", directory, reading: true) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw systemError("cannot list", directory, reading: true) }
        return names
    }

    private static let temporarySuffix = ".dkp-tmp"

    /// The same, over the given system calls.
    package static func write(
        _ bytes: some ContiguousBytes, to path: String, by workshop: String? = nil, calls: FileCalls
    ) throws(CheckpointError) {
        let url = URL(fileURLWithPath: path)
        let directory = url.deletingLastPathComponent().path
        guard !path.utf8.contains(0), !path.hasSuffix("/") else {
            throw CheckpointError(.inputOutput, "\"\(path)\" is no file name")
        }
        let unique = "\(getpid())-\(UInt32.random(in: .min ... .max))"
        let temporary = "\(workshop ?? directory)/.\(url.lastPathComponent).\(unique)\(temporarySuffix)"
        do throws(CheckpointError) {
            try writeAll(bytes, to: temporary, for: path, calls: calls)
            guard calls.rename(temporary, path) == 0 else { throw systemError("cannot rename into place", path) }
        } catch {
            _ = calls.unlink(temporary)
            throw error
        }
        try synchroniseDirectory(directory, calls: calls)
    }

    private static func writeAll(
        _ bytes: some ContiguousBytes, to temporary: String, for path: String, calls: FileCalls
    ) throws(CheckpointError) {
        let descriptor = calls.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemError("cannot create a file beside", path) }
        let failure = bytes.withUnsafeBytes { bytes -> CheckpointError? in
            var rest = bytes
            while !rest.isEmpty {
                let written = calls.write(descriptor, rest)
                if written < 0 {
                    if errno == EINTR { continue }
                    return systemError("cannot write", path)
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return calls.synchronise(descriptor) == 0 ? nil : systemError("cannot flush to disk", path)
        }
        // Not retried: after EINTR the descriptor is closed on Linux. Checked: some systems report a full disk here.
        let closed = calls.close(descriptor)
        if let failure { throw failure }
        guard closed == 0 else { throw systemError("cannot close", path) }
    }

    private static func synchroniseDirectory(_ directory: String, calls: FileCalls) throws(CheckpointError) {
        let descriptor = calls.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw systemError("cannot open", directory) }
        let status = calls.synchronise(descriptor)
        let failure = status == 0 ? nil : systemError("cannot flush to disk", directory)
        _ = calls.close(descriptor)
        if let failure { throw failure }
    }
}

/// The system calls that durable files are made of, so that tests can make each of them fail.
package struct FileCalls: Sendable {
    package var open: @Sendable (_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32
    package var write: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int
    package var synchronise: @Sendable (_ descriptor: Int32) -> Int32
    package var close: @Sendable (_ descriptor: Int32) -> Int32
    package var rename: @Sendable (_ from: String, _ to: String) -> Int32
    package var unlink: @Sendable (_ path: String) -> Int32

    /// The calls themselves.
    package static let system = FileCalls(
        open: { Foundation.open($0, $1, $2) },
        write: { Foundation.write($0, $1.baseAddress, $1.count) },
        synchronise: { Foundation.fsync($0) },
        close: { Foundation.close($0) },
        rename: { Foundation.rename($0, $1) },
        unlink: { Foundation.unlink($0) })
}

/// The error that `errno` stands for, its meaning decided here once.
/// - Parameter reading: whether the call was to read, not to write.
func systemError(_ what: String, _ path: String, reading: Bool = false) -> CheckpointError {
    let number = errno
    let reason = "\(path): \(what): \(String(cString: strerror(number)))"
    return switch number {
    case ENOSPC, EDQUOT: CheckpointError(.noSpace, "\(reason); free space and try again")
    case EACCES where reading, EPERM where reading:
        CheckpointError(.notReadable, "\(reason); check its owner and mode")
    case EACCES, EPERM, EROFS: CheckpointError(.permissionDenied, "\(reason); check the directory's owner and mode")
    case ENOENT, ENOTDIR: CheckpointError(.notFound, reason)
    case EMFILE, ENFILE, ENOMEM, EAGAIN: CheckpointError(.exhausted, "\(reason); try again later")
    default: CheckpointError(.inputOutput, reason)
    }
}
