import Files
import Foundation
import SystemPackage

/// A job directory held for work: its lease, which is what entitles to change it, and the lock, by which others see that
/// somebody is at it.
package struct JobHold: ~Copyable {
    /// The right to change the job.
    package let lease: JobLease
    private let job: JobDirectory
    private var lock: JobLock?

    /// Holds a job that nobody works on, with a new lease.
    /// - Throws: as ``JobLock`` and ``JobLease/take(_:)``.
    package init(_ job: JobDirectory) throws {
        self.job = job
        lock = try JobLock(job)
        lease = try JobLease.take(job.path)
    }

    /// Holds a job by a lease that was taken for it. The lock may still be with the worker before.
    package init(_ job: JobDirectory, lease: JobLease) {
        self.job = job
        self.lease = lease
        lock = try? JobLock(job)
    }

    /// Makes sure that the job is still held; takes the lock as soon as the worker before has let go of it.
    /// - Throws: ``RestorationError`` with code `superseded`.
    package mutating func check() throws(RestorationError) {
        try lease.check()
        if !hasLock {
            lock = try? JobLock(job)
        }
    }

    private var hasLock: Bool {
        switch lock {
        case .some: true
        case .none: false
        }
    }
}

/// The mark of a worker on its job directory, there as long as this value lives; the system removes it when the process
/// dies, however it dies.
package struct JobLock: ~Copyable {
    private let file: LockFile

    /// Takes the lock.
    /// - Throws: ``RestorationError`` with code `busy`, naming the holder; ``FileError``.
    package init(_ job: JobDirectory) throws {
        let file = try LockFile(FilePath(job.lockPath))
        guard try file.lock() else {
            let holder = String(decoding: file.contents(limit: 4096), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            throw RestorationError(
                .busy, "\(job.path): another worker is at it (\(holder.isEmpty ? "unknown" : holder))",
                remedy: "wait for it, or stop it first")
        }
        let holder = "process \(getpid()) on \(ProcessInfo.processInfo.hostName), \(JobLog.timeStamp())\n"
        try file.replaceContents(with: Array(holder.utf8))
        self.file = file
    }
}
