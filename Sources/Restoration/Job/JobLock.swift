import Foundation

/// The right to work on a job directory, held as long as this value lives; the system lets go of it when the process
/// dies, however it dies.
struct JobLock: ~Copyable {
    private let descriptor: Int32

    /// Takes the lock.
    /// - Throws: ``RestorationError`` with code `busy`, naming the holder; ``FileSystemError``.
    init(_ job: JobDirectory) throws {
        let path = job.lockPath
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw FileSystemError.system(path, "opened") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw FileSystemError.system(path, "locked") }
            let bytes = (try? FileSystem.read(path, limit: 4096)) ?? []
            let holder = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            throw RestorationError(
                .busy, "\(job.path): another worker is at it (\(holder.isEmpty ? "unknown" : holder))",
                remedy: "wait for it, or stop it first")
        }
        let holder = Array("process \(getpid()) on \(ProcessInfo.processInfo.hostName), \(JobLog.timeStamp())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, write(descriptor, holder, holder.count) == holder.count else {
            throw FileSystemError.system(path, "written")
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}
