import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Real `dkp retry` and `dkp submit`, killed at random instants, at once, and beside a live daemon.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(60))) struct `The operator's commands killed at any instant` {
    @Test func `retry loses no image, puts none back twice, and keeps its settings`() async throws {
        let count = Soak.count(40, full: 1000)
        try await withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            var random = SplitMix(state: Soak.seed)
            var (kills, lost, twice) = (0, 0, 0)
            for index in 0..<count {
                // As a kill of an earlier version left it, in every second case.
                try makeRejection(folder, "cat", image: "image \(index)", hasOldLeftover: index.isMultiple(of: 2))
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    if try await Command("retry", "cat", "--set", "seed=\(index)", in: folder).kill(&random) {
                        kills += 1
                    }
                }
                _ = try await Command("retry", "cat", "--set", "seed=\(index)", in: folder).end()
                let copies = try images(folder).filter { $0.text == "image \(index)" }
                if copies.isEmpty { lost += 1 }
                if copies.count > 1 { twice += 1 }
                for copy in copies {
                    #expect(copy.path.removingLastComponent() == folder.inbox)
                    #expect(try text(FilePath(copy.path.string + ".yaml")).contains("seed: \(index)\n"))
                }
                _ = Leftovers(folder).remove()
                #expect(try names(folder.inbox).count == 2 && names(folder.rejected) == [])
                for name in try LocalFileSystem().entries(folder.inbox) {
                    try LocalFileSystem().removeFile(folder.inbox.appending(name))
                }
            }
            #expect(lost == 0 && twice == 0)
            Soak.report("retry", ["images": count, "kills of retry": kills, "lost": lost, "twice": twice])
        }
    }

    @Test func `two retries at once put the image back once, and both succeed`() async throws {
        let count = Soak.count(15, full: 300)
        try await withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            for index in 0..<count {
                try makeRejection(folder, "cat", image: "image \(index)")
                let commands = try (0..<2).map { _ in try Command("retry", "cat", "--set", "seed=3", in: folder) }
                for command in commands {
                    let status = try await command.end()
                    // One that comes after the end of the other finds no such job.
                    #expect(status == 0 || status == 66)
                }
                #expect(try images(folder).map(\.text) == ["image \(index)"])
                #expect(try names(folder.rejected) == [])
                let left = try names(folder.inbox)
                #expect(left.count == 2 && left[1] == left[0] + ".yaml", "\(left)")
                for name in left { try LocalFileSystem().removeFile(folder.inbox.appending(name)) }
            }
        }
    }

    @Test func `retry beside a live daemon, killed and twice at once, has each image done once`() async throws {
        let count = Soak.count(20, full: 300)
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root), settings: "workers: 2")
            try await daemon.waitUntilReady()
            let folder = StateFolder(daemon.state)
            var random = SplitMix(state: Soak.seed &+ 7)
            for index in 0..<count {
                let name = "cat\(index)"
                try makeRejection(folder, name, image: "ok")
                let commands = try (0..<2).map { _ in try Command("retry", name, "--set", "seed=3", in: folder) }
                for command in commands { _ = try await command.kill(&random) }
                if try names(folder.rejected).contains(name) {
                    let status = try await Command("retry", name, "--set", "seed=3", in: folder).end()
                    #expect(status == 0)
                }
            }
            try await wait(for: "\(count) results: \(daemon.log.suffix(2000))") {
                daemon.list("outbox").count >= count && daemon.list("jobs").isEmpty
            }
            // A retry that was killed can leave its name taken: the next one puts the image beside it, as cat7-2.
            let done = daemon.list("outbox").map { $0.prefix { $0 != "-" } }
            #expect(done.count == count && Set(done) == Set((0..<count).map { "cat\($0)" }), "\(daemon.list("outbox"))")
            #expect(daemon.list("rejected") == [])
            #expect(try await daemon.stop().status == 0)
            // What the killed ones left the next daemon removes.
            let next = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await wait(for: "an empty inbox: \(daemon.list("inbox"))") { daemon.list("inbox") == [] }
            #expect(try await next.stop().status == 0)
        }
    }

    @Test func `submit leaves nothing for good, and another's submission in peace`() async throws {
        let count = Soak.count(10, full: 200)
        try await withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            let image = folder.root.appending("large.png")
            try drop(String(repeating: "0123456789abcdef", count: 1 << 19), image)
            var random = SplitMix(state: Soak.seed &+ 8)
            for _ in 0..<count {
                let living = try StagedFile(in: folder.inbox)
                for _ in 0..<2 { _ = try await Command("submit", image.string, in: folder).kill(&random) }
                #expect(try await Command("submit", image.string, "--set", "seed=4", in: folder).end() == 0)
                let hidden = try names(folder.inbox).filter { $0.hasPrefix(".") }
                #expect(hidden == [living.path.lastComponent?.string])
                for name in try LocalFileSystem().entries(folder.inbox) where !name.string.hasPrefix(".") {
                    let place = folder.inbox.appending(name)
                    if name.extension == "png" { #expect(try LocalFileSystem().status(place)?.size == 1 << 23) }
                    try LocalFileSystem().removeFile(place)
                }
                try LocalFileSystem().removeFile(living.path)
            }
        }
    }

    // MARK: helpers

    private func makeRejection(
        _ folder: StateFolder, _ name: String, image: String, hasOldLeftover: Bool = false
    ) throws {
        let making = folder.jobs.appending("making")
        try LocalFileSystem().makeDirectory(making)
        try drop(image, making.appending("original.png"))
        if hasOldLeftover { try drop("scale: 8\n", making.appending("original.png.yaml")) }
        try drop("scale: 2\n", making.appending("settings.yaml"))
        try drop("", making.appending("job.log"))
        try drop(
            #"{"job": "20260101-000000-001", "name": "\#(name).png", "code": "bad_input", "message": "", "attempts": []}"#,
            making.appending("error.json"))
        try LocalFileSystem().rename(making, to: folder.rejected.appending(name))
    }

    /// Every image that is in the inbox or in a rejection.
    private func images(_ folder: StateFolder) throws -> [(path: FilePath, text: String)] {
        let files = LocalFileSystem()
        var paths = try files.entries(folder.inbox).map { folder.inbox.appending($0) }
        for rejection in try files.entries(folder.rejected) {
            let path = folder.rejected.appending(rejection)
            paths += try files.entries(path).map { path.appending($0) }
        }
        return try paths.filter { $0.extension == "png" }.map { ($0, try text($0)) }
    }
}

/// A `dkp` that runs.
private final class Command {
    private let process = Process()

    init(_ arguments: String..., in folder: StateFolder) throws {
        process.executableURL = URL(fileURLWithPath: try Programs.path("dkp"))
        process.arguments = arguments + ["--state-dir", folder.root.string]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// Its exit status.
    func end() async throws -> Int32 {
        try await wait(for: "a command's end") { !process.isRunning }
        return process.terminationStatus
    }

    /// Kills it after a while.
    /// - Returns: whether it was still running.
    func kill(_ random: inout SplitMix) async throws -> Bool {
        try await Task.sleep(for: .milliseconds(Int.random(in: 5...70, using: &random)))
        Glibc.kill(process.processIdentifier, SIGKILL)
        _ = try await end()
        return process.terminationReason == .uncaughtSignal
    }
}
