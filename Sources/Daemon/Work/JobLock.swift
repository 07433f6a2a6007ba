import CLinux
import Glibc
import SystemPackage

/// The lock that a worker holds on its job, as seen by the daemon: is it held, and by whom.
struct JobLock: ~Copyable {
    private let descriptor: CInt
    private let inode: UInt64

    /// Opens the lock file of a job; nil if there is none, so that no worker has ever begun.
    init?(_ job: FilePath) throws(FileError) {
        let path = job.appending(JobFiles.lock)
        let descriptor = path.withPlatformString { dkp_open_regular($0) }
        guard descriptor >= 0 else {
            let code = Errno(rawValue: errno)
            if code == .noSuchFileOrDirectory { return nil }
            throw FileError(code, operation: "open", path: path)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = FileError.last("ask its status", path)
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        inode = UInt64(status.st_ino)
    }

    deinit { close(descriptor) }

    /// Whether nobody holds it at this instant. Only the daemon starts workers, so it stays free until it starts one.
    var isFree: Bool {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return false }
        flock(descriptor, LOCK_UN)
        return true
    }

    /// Waits for the holder to end.
    func waitUntilFree(_ limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        while !isFree {
            if ContinuousClock.now >= end { return false }
            do {
                try await Task.sleep(for: .milliseconds(50))
            } catch {
                return isFree
            }
        }
        return true
    }

    /// Signals the process that holds the lock, if it is a worker of that job.
    func signalHolder(_ signal: CInt, job: JobID) {
        for process in holders {
            // Taken before the command line is read: the number cannot come to mean another process in between.
            let descriptor = dkp_process_descriptor(process)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            guard Self.commandLine(of: process).contains(job.description) else { continue }
            // ESRCH: it has just ended, which is what was wanted.
            _ = dkp_signal_process(descriptor, signal)
        }
    }

    /// The processes that the kernel lists as holding a lock on a file of this number.
    private var holders: [pid_t] {
        Self.read("/proc/locks").split(separator: "\n").compactMap { line in
            // "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"
            let fields = line.split(separator: " ")
            guard fields.count >= 6, fields[1] == "FLOCK", let file = fields[5].split(separator: ":").last,
                UInt64(file) == inode
            else { return nil }
            return pid_t(fields[4])
        }
    }

    private static func commandLine(of process: pid_t) -> String { read("/proc/\(process)/cmdline") }

    /// The text of a file of /proc; empty if it cannot be read.
    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }
}
