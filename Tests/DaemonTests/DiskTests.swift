import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@Suite struct `The disk guard` {
    @Test func `pauses below the floor and goes on a quarter above it`() {
        var guardian = DiskGuard()
        for (free, isPaused) in [
            (101, false), (100, false), (99, true), (100, true), (124, true), (125, false), (100, false), (0, true),
        ] {
            let reason = guardian.update(free: free, floor: 100)
            #expect((reason != nil) == isPaused && guardian.isPaused == isPaused, "\(free)")
        }
    }

    @Test func `leaves things as they are where nobody knows the free space`() {
        var guardian = DiskGuard()
        #expect(guardian.update(free: nil, floor: 100) == nil)
        #expect(guardian.update(free: 1, floor: 100)?.contains("free_space_floor (100 bytes)") == true)
        #expect(guardian.update(free: nil, floor: 100) != nil)
    }

    @Test func `with a floor of nothing never pauses`() {
        var guardian = DiskGuard()
        #expect(guardian.update(free: 0, floor: 0) == nil)
    }

    @Test(arguments: [
        (0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (67_108_864, "64 MiB"), (1_610_612_736, "1.5 GiB"),
    ]) func `says sizes as people do`(bytes: Int, words: String) { #expect(DiskGuard.words(bytes) == words) }

    @Test func `asks the file system`() throws {
        try withTemporaryDirectory { path in #expect(DiskGuard.freeSpace(at: FilePath(path)).map { $0 > 0 } == true) }
        #expect(DiskGuard.freeSpace(at: "/nowhere/at/all") == nil)
    }
}

/// A file system in memory, mounted while this lives.
final class MemoryDisk {
    let path: String

    /// Whether this process may mount.
    static let isPossible: Bool = {
        (try? withTemporaryDirectory { path in
            guard mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0 else { return false }
            return umount2(path, CInt(MNT_DETACH)) == 0
        }) ?? false
    }()

    init(_ path: String, mebibytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(mebibytes)m") == 0 else { throw POSIXError(.EPERM) }
    }

    deinit { umount2(path, CInt(MNT_DETACH)) }

    /// Fills all but so many bytes.
    func fill(leaving bytes: Int) throws {
        let free = try #require(DiskGuard.freeSpace(at: FilePath(path)))
        try Data(count: max(0, free - bytes)).write(to: URL(fileURLWithPath: "\(path)/filler"))
    }

    func empty() throws { try FileManager.default.removeItem(atPath: "\(path)/filler") }

    /// Makes a directory on it read-only, or writable again.
    static func setReadOnly(_ directory: FilePath, _ isReadOnly: Bool) {
        let path = directory.string
        if isReadOnly {
            #expect(mount(path, path, nil, UInt(MS_BIND), nil) == 0)
            let flags = UInt(MS_BIND | MS_REMOUNT | MS_RDONLY)
            #expect(mount(nil, path, nil, flags, nil) == 0)
        } else {
            #expect(umount2(path, CInt(MNT_DETACH)) == 0)
        }
    }
}

/// Full and read-only disks, with a real daemon on a file system of its own.
@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: MemoryDisk.isPossible, "only root may mount the small file systems that these tests fill"))
struct `With a disk of its own, the daemon` {
    private func withDisk(
        settings: String, _ body: (DaemonProcess, MemoryDisk) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let disk = try MemoryDisk(path + "/state", mebibytes: 8)
            let worker = try FakeWorker.make(in: root)
            let daemon = try DaemonProcess(root, worker: worker, settings: settings)
            try await daemon.waitUntilReady()
            // Nothing may be left of the daemon when the disk goes.
            defer { withExtendedLifetime(disk) {} }
            try await body(daemon, disk)
            #expect(try await daemon.stop().status == 0)
        }
    }

    private func survey(_ daemon: DaemonProcess) throws -> StateSurvey { try StateSurvey(StateFolder(daemon.state)) }

    @Test func `begins nothing on a full disk, says so, and goes on by itself when there is room`() async throws {
        try await withDisk(settings: "free_space_floor: 2097152") { daemon, disk in
            try disk.fill(leaving: 1 << 20)
            try drop("ok", daemon.state.appending("inbox").appending("cat.png"))
            try await wait(for: "a pause: \(daemon.log)") { daemon.log.contains("paused: no work is begun") }
            try await wait(for: "the job") { try survey(daemon).counts.waiting == 1 }
            let found = try survey(daemon)
            #expect(found.daemon.reason?.contains("free_space_floor (2 MiB)") == true)
            #expect(DaemonStatus.read(StateFolder(daemon.state), LocalFileSystem())?.state == "paused")
            #expect(daemon.list("outbox") == [])

            try disk.empty()
            try await wait(for: "the result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
            #expect(daemon.log.contains("going on: there is room again"))
            try await wait(for: "the state") { try survey(daemon).daemon.reason == nil }
        }
    }

    @Test func `counts no failure of a worker that has run out of space`() async throws {
        // No floor: the worker meets the full disk itself. What it does then, its exit code says.
        try await withDisk(settings: "free_space_floor: 0") { daemon, disk in
            try disk.fill(leaving: 256 << 10)
            try drop("large", daemon.state.appending("inbox").appending("cat.png"))
            try await wait(for: "four tries: \(daemon.log)") {
                daemon.log.components(separatedBy: "work postponed").count > 4
            }
            #expect(daemon.list("rejected") == [] && daemon.list("outbox") == [])
            try disk.empty()
            try await wait(for: "the result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
        }
    }

    @Test func `waits for an outbox that cannot be written, and publishes by itself when it can`() async throws {
        try await withDisk(settings: "free_space_floor: 0") { daemon, _ in
            let outbox = daemon.state.appending("outbox")
            MemoryDisk.setReadOnly(outbox, true)
            try drop("ok", daemon.state.appending("inbox").appending("cat.png"))
            try await wait(for: "a pause: \(daemon.log)") { try survey(daemon).counts.paused == 1 }
            let job = try #require(try survey(daemon).jobs.first)
            #expect(
                job.name == "cat.png" && job.reason?.contains("outbox") == true, "\(String(describing: job.reason))")
            MemoryDisk.setReadOnly(outbox, false)
            try await wait(for: "the result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
            try await wait(for: "the end of the job") { daemon.list("jobs").isEmpty }
            #expect(daemon.list("rejected") == [])
        }
    }

    @Test func `waits for a jobs folder that cannot be written`() async throws {
        try await withDisk(settings: "free_space_floor: 0") { daemon, _ in
            let jobs = daemon.state.appending("jobs")
            try drop("long", daemon.state.appending("inbox").appending("cat.png"))
            try await wait(for: "a checkpoint: \(daemon.log)") {
                daemon.list("jobs").contains { job in
                    daemon.list("jobs/\(job)").contains { $0.hasPrefix("checkpoint-") }
                }
            }
            MemoryDisk.setReadOnly(jobs, true)
            try await wait(for: "a pause: \(daemon.log)") {
                try survey(daemon).jobs.first?.state == .paused && daemon.log.contains("Read-only")
            }
            MemoryDisk.setReadOnly(jobs, false)
            try await wait(for: "the result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
            #expect(daemon.list("rejected") == [])
        }
    }
}
