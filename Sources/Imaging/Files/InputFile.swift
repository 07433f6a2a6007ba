import Glibc

/// A regular file open for reading; closed with its owner.
struct InputFile: ~Copyable {
    private let path: String
    private let descriptor: Int32
    /// The size in bytes at the time of opening.
    let byteCount: Int

    init(path: String) throws(ImageError) {
        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            throw switch code {
            case ENOENT, ENOTDIR: .notFound(path)
            case EACCES, EPERM: .notReadable(path, systemReason(code))
            default: .cannotRead(path, systemReason(code))
            }
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw .cannotRead(path, systemReason(code))
        }
        let type = status.st_mode & S_IFMT
        guard type == S_IFREG else {
            close(descriptor)
            throw .notAnImage(path, type == S_IFDIR ? "this is a directory" : "this is a pipe, a socket or a device")
        }
        self.path = path
        self.descriptor = descriptor
        byteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// The first `limit` bytes, or all where there are fewer.
    func read(upTo limit: Int) throws(ImageError) -> [UInt8] { try read(from: 0, count: limit) }

    /// `count` bytes from byte `start` on, or what there is of them.
    func read(from start: Int, count limit: Int) throws(ImageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(0, min(limit, byteCount - start)))
        var filled = 0
        while filled < bytes.count {
            let offset = filled
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset, off_t(start + offset))
            }
            if count > 0 {
                filled += count
            } else if count == 0 {
                break  // The file has become shorter meanwhile.
            } else if errno != EINTR {
                throw .cannotRead(path, systemReason(errno))
            }
        }
        bytes.removeLast(bytes.count - filled)
        return bytes
    }
}

/// The system's words for an error number.
func systemReason(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }
