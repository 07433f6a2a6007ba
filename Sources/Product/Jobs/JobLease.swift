import Files
import Foundation

/// The right to change what is in a job directory, as a number that only grows: whoever starts a worker takes the next
/// one, and with that the right from every worker before.
///
/// The right is a directory in the job, `lease-7`, in which its holder writes everything first. What is finished is put
/// in place by a rename out of it, and what is not needed any more is removed by a rename into it. To take the right
/// away is to rename and remove that directory: from then on those renames fail, because one of their two names is gone.
/// So the check of the lease and the change that it allows are one system call, with no instant in between, and without
/// a lock, which not every file system keeps.
public struct JobLease: Sendable, Equatable {
    /// The lease's number, from 1.
    public let number: Int
    /// The job's directory.
    private let job: String

    /// Names a lease that somebody has taken; it may be gone already.
    public init(job: String, number: Int) {
        self.job = job
        self.number = number
    }

    /// Takes the next lease of a job, and with it the right from all before it: once this returns, nobody else changes
    /// the job.
    /// - Throws: ``FileError``; ``RestorationError`` if others take leases of this job without end.
    public static func take(_ job: String) throws -> JobLease {
        for _ in 0..<100 {
            let number = (try numbers(in: job).max() ?? 0) + 1
            guard number <= highestNumber else {
                throw RestorationError(
                    .busy, "\(job): no number is left for a lease after \(prefix)\(number - 1)",
                    remedy: "remove \(prefix)\(number - 1), which nobody was ever given, when no worker is at the job")
            }
            let lease = JobLease(job: job, number: number)
            do throws(FileError) {
                try LocalFileSystem().makeDirectory(lease.path)
            } catch {
                if error.code == .exists { continue }
                throw error
            }
            try LocalFileSystem().synchroniseDirectory(job)
            // Looked at again: of two who take a lease at once, the one whose directory came last sees the other's.
            let others = try numbers(in: job).filter { $0 != number }
            if let newest = others.max(), newest > number {
                try lease.revoke()
                continue
            }
            for other in others { try JobLease(job: job, number: other).revoke() }
            removeForeign(from: job)
            try removeRevoked(in: job)
            return lease
        }
        throw RestorationError(.busy, "\(job): others take this job over again and again", remedy: "stop them first")
    }

    /// The number of the newest lease of a job, 0 before the first.
    public static func newest(in job: String) throws -> Int { try numbers(in: job).max() ?? 0 }

    /// Whether the right is still this one's.
    public var isCurrent: Bool { 1...Self.highestNumber ~= number && LocalFileSystem().isDirectory(path) }

    /// Throws if the right has passed to another.
    package func check() throws(RestorationError) {
        guard !isCurrent else { return }
        throw RestorationError(
            .superseded,
            "\(job): lease \(number) is over: a newer worker has taken the job, and this one writes nothing more")
    }

    /// Where the holder writes what is not finished yet.
    package var path: String { "\(job)/\(Self.prefix)\(number)" }

    /// Replaces a file of the job in one instant, if the right is still there.
    package func replace(_ path: String, with bytes: [UInt8], durably: Bool) throws {
        do {
            try LocalFileSystem().replace(path, with: bytes, durably: durably, from: self.path)
        } catch {
            try check()
            throw error
        }
    }

    /// Puts a file or directory that was finished in the lease's own directory in place, if the right is still there.
    package func place(_ name: String, at path: String) throws {
        do {
            try LocalFileSystem().rename("\(self.path)/\(name)", to: path)
        } catch {
            try check()
            throw error
        }
    }

    /// Removes a file of the job, if the right is still there; one that is not there is fine.
    package func remove(_ path: String) throws {
        let discarded = "\(self.path)/.discarded"
        do {
            try LocalFileSystem().rename(path, to: discarded)
        } catch {
            try check()
            if !LocalFileSystem().exists(path) { return }
            throw error
        }
        try LocalFileSystem().remove(discarded)
    }

    // MARK: Taking away

    private static let prefix = "lease-"
    private static let revokedPrefix = ".lease-"
    /// Numbers are given out one by one, so that this one is never reached: a directory with a higher number is nobody's
    /// lease. It entitles to nothing, is not counted on from, and goes when the next lease is taken.
    private static let highestNumber = 999_999_999

    private func revoke() throws {
        let revoked = "\(job)/\(Self.revokedPrefix)\(number)"
        try LocalFileSystem().remove(revoked)
        do {
            try LocalFileSystem().rename(path, to: revoked)
        } catch {
            if !LocalFileSystem().exists(path) { return }
            throw error
        }
        try Self.removeWhole(revoked)
    }

    private static func removeRevoked(in job: String) throws {
        for name in try LocalFileSystem().names(in: job) where name.hasPrefix(revokedPrefix) {
            try removeWhole("\(job)/\(name)")
        }
    }

    /// Removes a revoked lease. Where a network file system remembers the directory under its old name, its holder may
    /// still be adding to it; once it is removed he cannot.
    private static func removeWhole(_ path: String) throws {
        for attempt in 1... {
            do {
                return try LocalFileSystem().remove(path)
            } catch {
                if attempt == 20 || !LocalFileSystem().exists(path) { throw error }
            }
        }
    }

    private static func numbers(in job: String) throws -> [Int] {
        try LocalFileSystem().names(in: job).compactMap(number(ofName:))
    }

    /// The number of the lease that a directory's name is, nil if it is none. Only as it is written here: "lease-7", not
    /// "lease-007", which would be another directory.
    private static func number(ofName name: String) -> Int? {
        guard name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)), 1...highestNumber ~= number,
            name == "\(prefix)\(number)"
        else { return nil }
        return number
    }

    /// Removes what is called like a lease and is none, as far as that can be done: it entitles nobody to anything.
    private static func removeForeign(from job: String) {
        for name in (try? LocalFileSystem().names(in: job)) ?? [] {
            let digits = name.dropFirst(prefix.count)
            guard name.hasPrefix(prefix), !digits.isEmpty, digits.utf8.allSatisfy({ 48...57 ~= $0 }),
                number(ofName: name) == nil
            else { continue }
            try? LocalFileSystem().remove("\(job)/\(name)")
        }
    }
}
