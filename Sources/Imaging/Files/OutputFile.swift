import Glibc

/// Writes a file so that its name always holds either the old content or all of the new: another name in the same
/// directory, written, synchronised, renamed, and the directory synchronised.
func replaceFile(at path: String, with bytes: [UInt8]) throws(ImageError) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    var temporary = ""
    var descriptor: Int32 = -1
    // A name may be taken by another thread, or be left over from a killed process of the same number.
    for attempt in 0..<100 where descriptor < 0 {
        temporary = "\(directory)/.\(name).\(getpid()).\(attempt)"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        if descriptor < 0, errno != EEXIST { break }
    }
    guard descriptor >= 0 else { throw .cannotWrite(path, systemReason(errno)) }
    var failure = write(bytes, to: descriptor)
    if failure == 0, fsync(descriptor) != 0 { failure = errno }
    if close(descriptor) != 0, failure == 0 { failure = errno }
    if failure == 0, rename(temporary, path) != 0 { failure = errno }
    guard failure == 0 else {
        unlink(temporary)
        throw .cannotWrite(path, systemReason(failure))
    }
    let parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { throw .cannotWrite(path, systemReason(errno)) }
    defer { close(parent) }
    guard fsync(parent) == 0 else { throw .cannotWrite(path, systemReason(errno)) }
}

/// Writes all bytes; returns 0 or the error number.
private func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    bytes.withUnsafeBytes { buffer in
        var rest = buffer[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}
