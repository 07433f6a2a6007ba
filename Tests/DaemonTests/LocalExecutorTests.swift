import Daemon
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct `The local executor` {
    /// A worker that says what it was given, and then does as its job says.
    private static let script = """
        #!/bin/bash
        echo "arguments $*"
        echo "threads $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS, notify ${NOTIFY_SOCKET-none}"
        echo "nice $(nice), data $(ulimit -d), group $(($(ps -o pgid= -p $$) == $$))" >&2
        trap 'echo stopped; exit 75' TERM
        while [ -e "$2/wait" ]; do sleep 0.02; done
        [ -e "$2/stubborn" ] && trap '' TERM
        while [ -e "$2/stubborn" ]; do sleep 0.02; done
        [ -e "$2/die" ] && kill -KILL $$
        exit 7
        """

    private func withExecutor(
        limits: LocalExecutor.Limits = .init(), stopTime: Duration = .seconds(20),
        _ body: (LocalExecutor, WorkerRun, _ program: FilePath) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { path in
            let program = FilePath(path).appending("worker")
            try drop(Self.script, program)
            #expect(chmod(program.string, 0o755) == 0)
            let job = try #require(JobID("20260804-153012-345"))
            let directory = FilePath(path).appending(job.description)
            try LocalFileSystem().makeDirectory(directory)
            let run = WorkerRun(handle: WorkerHandle(job: job, lease: 3), directory: directory, threads: 2)
            try await body(LocalExecutor(program: program, stopTime: stopTime, limits: limits), run, program)
        }
    }

    /// Waits until the worker has said all that it says.
    private func waitForWords(_ run: WorkerRun) async throws {
        let log = run.directory.appending("job.log")
        try await wait(for: "the worker") { (try? text(log).contains("nice ")) == true }
    }

    @Test func `starts a worker in a group of its own, with its threads and lease, and takes its words into the log`()
        async throws
    {
        try await withExecutor { executor, run, _ in
            #expect(try await executor.poll(run) == .unknown)
            try await executor.start(run)
            #expect(try await executor.end(of: run) == .exited(7))
            #expect(try await executor.poll(run) == .unknown)
            let log = try text(run.directory.appending("job.log"))
            #expect(log.contains("arguments work \(run.directory.string) --lease 3\n"))
            #expect(log.contains("threads 2 2, notify none"))
            #expect(log.contains("data unlimited, group 1"), "\(log)")
        }
    }

    @Test func `limits memory and gives way`() async throws {
        try await withExecutor(limits: .init(memory: 1 << 30, niceness: 7)) { executor, run, _ in
            try drop("", run.directory.appending("wait"))
            try await executor.start(run)
            var found: pid_t?
            try await wait(for: "the worker's process") {
                found = try Self.process(of: run)
                return found != nil
            }
            let process = try #require(found)
            let limits = try text(FilePath("/proc/\(process)/limits"))
            let data = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max data size") })
            #expect(data.split(separator: " ").contains("1073741824"), "\(data)")
            let (own, worker) = (Self.niceness(of: 0), Self.niceness(of: process))
            #expect(worker == min(own + 7, 19), "\(own), \(worker)")
            try LocalFileSystem().removeFile(run.directory.appending("wait"))
            #expect(try await executor.end(of: run) == .exited(7))
        }
    }

    @Test func `tells a signal from an exit`() async throws {
        try await withExecutor { executor, run, _ in
            try drop("", run.directory.appending("die"))
            try await executor.start(run)
            #expect(try await executor.end(of: run) == .killed(signal: 9))
        }
    }

    @Test func `stops a worker that is asked, also when whoever waits has gone`() async throws {
        try await withExecutor { executor, run, _ in
            try drop("", run.directory.appending("wait"))
            try await executor.start(run)
            try await waitForWords(run)
            #expect(try await executor.poll(run) == .running)
            let waiting = Task { try await executor.end(of: run) }
            waiting.cancel()
            await executor.cancel(run)
            #expect(try await waiting.value == .exited(75))
            #expect(try text(run.directory.appending("job.log")).hasSuffix("stopped\n"))
        }
    }

    @Test func `kills a worker that does not listen`() async throws {
        try await withExecutor(stopTime: .milliseconds(200)) { executor, run, _ in
            try drop("", run.directory.appending("stubborn"))
            try await executor.start(run)
            try await waitForWords(run)
            try await Task.sleep(for: .milliseconds(100))
            await executor.cancel(run)
            let end = try await executor.end(of: run)
            // It may have been asked before it had stopped listening.
            #expect(end == .killed(signal: 9) || end == .exited(75))
        }
    }

    @Test(arguments: [false, true])
    func `finds a worker that another has started, waits for it and stops it`(_ isStopped: Bool) async throws {
        try await withExecutor { executor, run, program in
            try drop("", run.directory.appending("wait"))
            try await executor.start(run)
            try await waitForWords(run)

            let next = LocalExecutor(program: program, stopTime: .seconds(20))
            #expect(try await next.poll(run) == .running)
            var other = run
            other.handle.lease = 4
            #expect(try await next.poll(other) == .unknown)
            if isStopped {
                await next.cancel(run)
            } else {
                try LocalFileSystem().removeFile(run.directory.appending("wait"))
            }
            #expect(try await next.end(of: run) == .unobserved)
            #expect(try await next.poll(run) == .unknown)
            #expect(try await executor.end(of: run) == .exited(isStopped ? 75 : 7))
        }
    }

    @Test func `says what is wrong with a program that cannot be run`() async throws {
        try await withExecutor { _, run, program in
            let executor = LocalExecutor(program: FilePath(program.string + "-none"), stopTime: .seconds(1))
            let error = await #expect(throws: DaemonError.self) { try await executor.start(run) }
            #expect(error?.code == .worker && error?.description.contains("worker-none") == true)
            let state = try await executor.poll(run)
            #expect(state == .unknown)
        }
    }

    @Test func `keeps a log from growing without end`() throws {
        try withTemporaryDirectory { path in
            let log = FilePath(path).appending("job.log")
            try drop("begin\n" + String(repeating: "x", count: 994), log)
            try JobLogLimit.keep(log, most: 1000)
            #expect(try text(log).count == 1000)
            try drop("begin\n" + String(repeating: "x", count: 5000), log)
            try JobLogLimit.keep(log, most: 1000)
            let cut = try text(log)
            #expect(cut.hasPrefix("begin\n") && cut.hasSuffix("was cut here]\n") && cut.count < 600)
        }
    }

    private static func niceness(of process: pid_t) -> CInt {
        getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(process))
    }

    /// The process at work on a run.
    private static func process(of run: WorkerRun) throws -> pid_t? {
        try LocalFileSystem().entries("/proc").compactMap { pid_t($0.string) }.first { process in
            let line = (try? LocalFileSystem().read(FilePath("/proc/\(process)/cmdline"), limit: 4096)) ?? []
            return String(decoding: line, as: UTF8.self).contains(run.directory.string)
        }
    }
}
