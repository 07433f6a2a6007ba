import Daemon
import Failures
import Files
import Foundation
import Glibc
import Jobs
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
            func bounded() throws -> BoundedLog { try BoundedLog(appendingTo: log.string, most: 1000) }
            try drop("begin\n" + String(repeating: "x", count: 994), log)
            try bounded().cut()
            #expect(try text(log).count == 1000)
            try bounded().write(Array("y".utf8)[...])
            var cut = try text(log)
            #expect(cut.hasPrefix("begin\n") && cut.hasSuffix("was cut here]\ny") && cut.count < 600)
            try drop("begin\n" + String(repeating: "x", count: 5000), log)
            try bounded().cut()
            cut = try text(log)
            #expect(cut.hasPrefix("begin\n") && cut.hasSuffix("was cut here]\n") && cut.count < 600)
            for _ in 0..<100 {
                try bounded().write(Array(String(repeating: "z", count: 300).utf8)[...])
                #expect(try text(log).count <= 1000)
            }
        }
    }

    @Test(arguments: OddKind.allCases) func `opens nothing as a log but a file`(_ kind: OddKind) throws {
        try withTemporaryDirectory { path in
            let log = FilePath(path).appending("job.log")
            try kind.make(log)
            let error = #expect(throws: FileError.self) { try BoundedLog(appendingTo: log.string).cut() }
            #expect(
                error?.code == .notARegularFile && error?.description.contains("job.log: is not a regular file") == true
            )
        }
    }

    /// A worker that prints as fast as it can, whether it is heard or not, until its file `flood` is gone.
    private static let flood = """
        #!/usr/bin/perl
        $| = 1;
        print "begin\\n";
        my $text = ("x" x 99 . "\\n") x 600;
        while (-e "$ARGV[1]/flood") { syswrite(STDOUT, $text) for 1 .. 20; }
        # What is said at the end is heard once the flood has run off.
        for (1 .. 500) { last if syswrite(STDERR, "end\\n"); select(undef, undef, undef, 0.02); }
        exit 7;
        """

    @Test(.tags(.slow), .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/perl")))
    func `keeps the log of a worker that prints without end short, and hears its last words`() async throws {
        try await withExecutor { executor, run, program in
            try drop(Self.flood, program)
            try drop("", run.directory.appending("flood"))
            try await executor.start(run)
            let log = run.directory.appending("job.log").string
            var sizes: Set<Int> = []
            try await wait(for: "a cut") {
                let size = try Self.size(log)
                #expect(size <= BoundedLog.most)
                sizes.insert(size)
                return sizes.contains { $0 > BoundedLog.most / 2 && $0 > size }
            }
            try LocalFileSystem().removeFile(run.directory.appending("flood"))
            #expect(try await executor.end(of: run) == .exited(7))
            let handle = try #require(FileHandle(forReadingAtPath: log))
            #expect(try handle.read(upToCount: 6).map { String(decoding: $0, as: UTF8.self) } == "begin\n")
            try handle.seek(toOffset: UInt64(max(0, try Self.size(log) - 4)))
            #expect(try handle.readToEnd().map { String(decoding: $0, as: UTF8.self) } == "end\n")
        }
    }

    @Test(.tags(.slow), .enabled(if: MemoryDisk.isPossible))
    func `lets a worker print on a full disk, and go on`() async throws {
        try await withExecutor { executor, run, program in
            let disk = try MemoryDisk(run.directory.string, mebibytes: 4)
            try drop(Self.flood, program)
            try drop("", run.directory.appending("flood"))
            try disk.fill(leaving: 200_000)
            try await executor.start(run)
            try await wait(for: "a full disk") { DiskGuard.freeSpace(at: run.directory) == 0 }
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await executor.poll(run) == .running)
            try LocalFileSystem().removeFile(run.directory.appending("flood"))
            #expect(try await executor.end(of: run) == .exited(7))
        }
    }

    @Test func `makes a stopped worker go on, so that it can be asked to stop`() async throws {
        try await withExecutor { executor, run, program in
            try drop("", run.directory.appending("wait"))
            try await executor.start(run)
            try await waitForWords(run)
            let process = try #require(try Self.process(of: run))
            #expect(kill(process, SIGSTOP) == 0)
            await executor.cancel(run)
            #expect(try await executor.end(of: run) == .exited(75))
            // And one of an earlier daemon.
            try await executor.start(run)
            var other: pid_t?
            try await wait(for: "the next worker") {
                other = try Self.process(of: run)
                return other != nil
            }
            kill(try #require(other), SIGSTOP)
            let next = LocalExecutor(program: program, stopTime: .seconds(20))
            await next.cancel(run)
            #expect(try await next.end(of: run) == .unobserved)
            _ = try await executor.end(of: run)
        }
    }

    private static func size(_ path: String) throws -> Int {
        Int(try LocalFileSystem().status(FilePath(path))?.size ?? 0)
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
