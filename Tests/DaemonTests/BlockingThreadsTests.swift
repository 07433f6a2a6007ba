import Daemon
import Files
import Foundation
import Glibc
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite struct `The threads of the daemon` {
    /// The name of the running thread.
    private static var thread: String {
        (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8))?.trimmingCharacters(in: .newlines)
            ?? ""
    }

    /// How many are somewhere at once.
    private final class Tally: Sendable {
        private let state = Mutex((present: 0, highest: 0))

        var highest: Int { state.withLock { $0.highest } }

        func enter() {
            state.withLock { state in
                state.present += 1
                state.highest = max(state.highest, state.present)
            }
        }

        func leave() { state.withLock { $0.present -= 1 } }
    }

    private actor Counter {
        var count = 0
        func add() -> String {
            count += 1
            return thread
        }
    }

    @Test func `run a task, its child tasks and the actors that it calls, after every pause`() async throws {
        let threads = try BlockingThreads(maximum: 3)
        let counter = Counter()
        let names = await withTaskExecutorPreference(threads) {
            await withTaskGroup(of: [String].self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        var names = [Self.thread, await counter.add()]
                        try? await Task.sleep(for: .milliseconds(1))
                        names.append(Self.thread)
                        return names
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
        }
        #expect(names.count == 60 && Set(names) == [BlockingThreads.name], "\(Set(names))")
        #expect(await counter.count == 20)
    }

    @Test(.timeLimit(.minutes(1))) func `are as many as wait at once, up to their number`() async throws {
        let threads = try BlockingThreads(maximum: 5)
        let tally = Tally()
        await withTaskExecutorPreference(threads) {
            await withDiscardingTaskGroup { group in
                for _ in 0..<20 {
                    group.addTask {
                        tally.enter()
                        // Until all are there: with fewer threads than five this would never end.
                        while tally.highest < 5 { usleep(1000) }
                        tally.leave()
                    }
                }
            }
        }
        #expect(tally.highest == 5)
    }

    @Test(.tags(.slow), .timeLimit(.minutes(5)))
    func `make every file operation of a running daemon, and those that tasks share none`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let recorder = try FileCalls(in: root)
            let folder = StateFolder(root.appending("state"))
            let daemon = try DaemonProcess(
                root, worker: FakeWorker.make(in: root), settings: "workers: 2\nkeep_results: 100\nduplicates: skip",
                launcher: recorder.launcher)
            try await daemon.waitUntilReady()

            // Claims, with settings of their own and of a folder; work; a result; failures; a rejection.
            try LocalFileSystem().makeDirectory(folder.inbox.appending("holiday"))
            try drop("scale: 2", folder.inbox.appending("holiday").appending("dkp.yaml"))
            try drop("ok", folder.inbox.appending("holiday").appending("beach.png"))
            try drop("seed: 3\npriority: 2", folder.inbox.appending("cat.png.yaml"))
            for (name, what) in [("cat", "ok"), ("dog", "flaky"), ("cow", "bad"), ("hen", "empty")] {
                try drop(what, folder.inbox.appending("\(name).png"))
            }
            try await wait(for: "three results and two rejections: \(daemon.lastWords)") {
                daemon.list("outbox") == ["cat", "dog", "holiday-beach"] && daemon.list("rejected") == ["cow", "hen"]
            }
            // A retry, a cancellation, settings read again, and the end.
            func ask(_ words: String...) async throws {
                let end = try await Programs.captureAside("dkp", words + ["--state-dir", folder.root.string])
                #expect(end.status == 0, "\(end.errors)")
            }
            try await ask("retry", "cow")
            try await wait(for: "the retry: \(daemon.lastWords)") {
                daemon.log.matches(of: /warning: rejected/).count > 2
            }
            try drop("endless", folder.inbox.appending("pig.png"))
            try await wait(for: "a worker: \(daemon.lastWords)") {
                daemon.log.contains(/worker starts .*pig\.png/)
            }
            try await ask("cancel", "pig")
            try await wait(for: "the cancellation: \(daemon.lastWords)") { daemon.list("rejected").contains("pig") }
            daemon.hangUp()
            try await wait(for: "the settings: \(daemon.lastWords)") { daemon.log.contains("settings read again") }
            #expect(try await daemon.stop().status == 0)

            // Before the daemon itself there is nobody to wait for it: the program reads its settings.
            let calls = try recorder.calls().drop { !$0.path.hasPrefix(folder.root.string) }
            let own = calls.filter { ["dkpd-files", "dkpd-watch"].contains($0.thread) }
            #expect(Set(own.map(\.name)).isSuperset(of: ["open", "fsync", "rename", "lstat", "unlink", "mkdir"]))
            #expect(own.count > 500)
            let others = Set(calls).subtracting(own).filter { $0.path.isEmpty || $0.path.hasPrefix(root.string) }
            #expect(others == [])
        }
    }
}
