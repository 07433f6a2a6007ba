import Foundation

/// A regular file, open for reading. Nothing else is opened: a FIFO would let its reader wait, a device do who knows what.
struct RegularFile: ~Copyable {
    /// The size in bytes when it was opened.
    let size: Int
    private let descriptor: Int32
    private let path: String

    /// - Throws: ``CheckpointError`` with code `notFound`, `permissionDenied` or `inputOutput`; `wrongFormat` for what is no
    ///   regular file.
    init(reading path: String) throws(CheckpointError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else {
            // A socket, and a FIFO or device that does not like to be opened.
            if errno == ENXIO { throw Self.notRegular(path) }
            throw systemError("cannot open", path)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = systemError("cannot ask its status", path)
            close(descriptor)
            throw error
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw Self.notRegular(path)
        }
        self.descriptor = descriptor
        self.path = path
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// The bytes from `start` to the end, as it was when the file was opened; fewer if it has been shortened since.
    borrowing func bytes(from start: Int = 0) throws(CheckpointError) -> [UInt8] {
        var failure: CheckpointError?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(0, size - start)) { buffer, count in
            while count < buffer.count {
                let added = pread(
                    descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count, off_t(start + count))
                if added < 0 && errno == EINTR { continue }
                if added < 0 { failure = systemError("cannot read", path) }
                if added <= 0 { return }
                count += added
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// At most so many bytes at its end.
    borrowing func bytes(last count: Int) throws(CheckpointError) -> [UInt8] {
        try bytes(from: max(0, size - count))
    }

    private static func notRegular(_ path: String) -> CheckpointError {
        CheckpointError(.wrongFormat, "\(path): not a regular file; move it away")
    }
}
