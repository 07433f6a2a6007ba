import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Real daemons and real workers, killed and stopped at random instants.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(60))) struct `Killed or stopped at any instant` {
    /// A storm kills a worker more often in a row than any failing image would.
    private static let settings = RealWork.settings + "\nattempts: 100"

    @Test func `daemon and workers lose nothing, do nothing twice and change no byte`() async throws {
        try await withTemporaryDirectory { path in
            var storm = Storm(root: FilePath(path), seed: Soak.seed)
            while storm.kills < Soak.count(10, full: 120) || storm.fed.count < Soak.count(2, full: 6) {
                let daemon = try DaemonProcess(storm.root, worker: nil, settings: Self.settings)
                try storm.feed(daemon, outstanding: 2)
                try await storm.strike(daemon)
            }
            let daemon = try DaemonProcess(storm.root, worker: nil, settings: Self.settings)
            try await wait(for: "the end of every job: \(daemon.log)") {
                daemon.list("outbox").count + daemon.list("rejected").count >= storm.fed.count
                    && daemon.list("jobs").isEmpty && daemon.list("inbox").isEmpty
            }
            try storm.expectEachOnce(daemon, "kills", storm.kills)
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `SIGTERM ends the daemon in time, and no step is done again`() async throws {
        try await withTemporaryDirectory { path in
            var storm = Storm(root: FilePath(path), seed: Soak.seed &+ 1)
            let stops = Soak.count(5, full: 60)
            for _ in 0..<stops {
                let daemon = try DaemonProcess(storm.root, worker: nil, settings: Self.settings)
                try storm.feed(daemon, outstanding: 1)
                try await storm.pause(upTo: Soak.count(1500, full: 3000))
                let end = try await daemon.stop()
                #expect(end.status == 0 && end.duration < Soak.stopLimit)
                #expect(RealWork.workers(daemon).allSatisfy { kill($0, 0) != 0 }, "a worker outlived its daemon")
            }
            let daemon = try DaemonProcess(storm.root, worker: nil, settings: Self.settings)
            try await wait(for: "the end of every job: \(daemon.log)") {
                daemon.list("outbox").count >= storm.fed.count && daemon.list("jobs").isEmpty
            }
            for name in storm.fed {
                try Self.expectNothingDoneAgain(daemon.state.appending("outbox").appending(name), name)
            }
            try storm.expectEachOnce(daemon, "stops", stops)
            #expect(try await daemon.stop().status == 0)
        }
    }

    /// Each run began at the step at which the one before it had stopped.
    private static func expectNothingDoneAgain(_ result: FilePath, _ name: String) throws {
        var stopped: Substring?
        for line in try text(result.appending("job.log")).split(separator: "\n") {
            if let match = line.firstMatch(of: /stopped by .* at step (\d+)/) { stopped = match.1 }
            if let match = line.firstMatch(of: /resumed at step (\d+)/) {
                #expect(match.1 == stopped, "\(name): \(line)")
            }
        }
    }
}

/// A state folder in a storm: what was dropped into it, and how often something was killed.
private struct Storm {
    let root: FilePath
    private(set) var fed: [String] = []
    private(set) var kills = 0
    private var random: SplitMix

    init(root: FilePath, seed: UInt64) {
        self.root = root
        random = SplitMix(state: seed)
    }

    /// Drops images until so many have not come out yet.
    mutating func feed(_ daemon: DaemonProcess, outstanding: Int) throws {
        try StateFolder(daemon.state).create(LocalFileSystem())
        while fed.count - daemon.list("outbox").count < outstanding {
            let name = "scene\(fed.count)"
            try RealWork.paint(root, name, seed: fed.count, into: daemon.state)
            fed.append(name)
        }
    }

    /// Waits for a random while.
    mutating func pause(upTo milliseconds: Int) async throws {
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...milliseconds, using: &random)))
    }

    /// Kills the workers, the daemon, or one after the other, at random instants; the daemon is dead afterwards.
    mutating func strike(_ daemon: DaemonProcess) async throws {
        try await pause(upTo: Soak.count(1500, full: 3000))
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            for worker in RealWork.workers(daemon) where kill(worker, SIGKILL) == 0 { kills += 1 }
            try await pause(upTo: 700)
        }
        try await daemon.killAtOnce()
        kills += 1
    }

    /// Every image dropped has one result, and it is the one of an undisturbed run.
    func expectEachOnce(_ daemon: DaemonProcess, _ what: String, _ count: Int) throws {
        let outbox = daemon.list("outbox")
        let lost = fed.filter { !outbox.contains($0) }
        let twice = outbox.filter { !fed.contains($0) }
        #expect(lost.isEmpty && twice.isEmpty && daemon.list("rejected").isEmpty, "\(daemon.log)")
        var differing: [String] = []
        for name in fed where outbox.contains(name) {
            let result = daemon.state.appending("outbox").appending(name)
            differing += try RealWork.differences(result, name, root)
        }
        #expect(differing.isEmpty)
        Soak.report(
            what,
            [
                "\(what) survived": count, "jobs": fed.count, "lost": lost.count, "twice": twice.count,
                "results differing": differing.count,
            ])
    }
}
