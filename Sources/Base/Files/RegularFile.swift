import CLinux
import Glibc
package import SystemPackage

/// A regular file, open for reading. Nothing else is opened: a FIFO would let its reader wait, a device do who knows what.
package struct RegularFile: ~Copyable {
    /// The size in bytes when it was opened.
    package let size: Int
    /// Closed with this value.
    let descriptor: CInt
    private let path: FilePath

    /// Opens a file.
    /// - Parameter followingLinks: false refuses a symbolic link, as for files from strangers.
    /// - Throws: ``FileError``, with code `notARegularFile` for what is no regular file.
    package init(_ path: FilePath, followingLinks: Bool = true) throws(FileError) {
        // Non-blocking: opening a FIFO must not wait for its writer.
        descriptor = path.withPlatformString {
            followingLinks ? open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : dkp_open_regular($0)
        }
        self.path = path
        guard descriptor >= 0 else {
            size = 0
            if !followingLinks, Errno.last == .invalidArgument { throw .notRegular(path) }
            throw .last("read", path, .reading)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            size = 0
            throw .last("ask its status", path, .reading)
        }
        size = Int(status.st_size)
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path, kind: FileStatus(status).kind) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// `count` bytes from `start` on; fewer where the file ends before.
    package borrowing func read(from start: Int = 0, count: Int) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(0, count)) { buffer, filled in
            while filled < buffer.count {
                let (offset, place) = (start + filled, buffer.baseAddress.map { $0 + filled })
                let added = uninterrupted { pread(descriptor, place, buffer.count - filled, off_t(offset)) }
                if added < 0 { failure = .last("read", path, .reading) }
                if added <= 0 { return }
                filled += added
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The size in bytes at present.
    package borrowing func currentSize() throws(FileError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("ask its status", path, .reading) }
        return Int(status.st_size)
    }

    /// The bytes from `start` to the end, as it was when the file was opened; fewer if it has been shortened since.
    package borrowing func bytes(from start: Int = 0) throws(FileError) -> [UInt8] {
        try read(from: start, count: size - start)
    }

    /// At most so many bytes at its end.
    package borrowing func bytes(last count: Int) throws(FileError) -> [UInt8] {
        try bytes(from: max(0, size - count))
    }

    /// Reads at most `limit` bytes from the beginning, piece by piece.
    package borrowing func readChunks(
        limit: Int = .max, _ body: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        // A small file needs no large buffer; one byte more tells its end.
        var buffer = [UInt8](repeating: 0, count: max(1, min(min(1 << 20, size) + 1, limit)))
        var left = limit
        while left > 0 {
            let count = buffer.withUnsafeMutableBytes { buffer in
                uninterrupted { Glibc.read(descriptor, buffer.baseAddress, min(buffer.count, left)) }
            }
            guard count >= 0 else { throw FileError.last("read", path, .reading) }
            if count == 0 { return }
            left -= count
            try body(buffer[..<count])
        }
    }

    /// Whether somebody has it open for writing; nil where the system does not tell (it does only of one's own files).
    package var isOpenForWriting: Bool? {
        switch dkp_is_open_for_writing(descriptor) {
        case 0: false
        case 1: true
        default: nil
        }
    }

    /// Whether what has this name is this very file.
    package borrowing func isFile(at path: FilePath) -> Bool { isSameFile(descriptor, at: path) }

    /// Whether another open description has it locked (see ``LockFile/lockDescription()``).
    package var isDescriptionLocked: Bool { dkp_is_description_locked(descriptor) == 1 }
}

/// Whether a descriptor is of the file that has this name, no link followed.
func isSameFile(_ descriptor: CInt, at path: FilePath) -> Bool {
    var (own, there) = (stat(), stat())
    return fstat(descriptor, &own) == 0 && path.withPlatformString { lstat($0, &there) } == 0
        && own.st_dev == there.st_dev && own.st_ino == there.st_ino
}
