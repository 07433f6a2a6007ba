import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Workers that outlive their daemon. The worker is a script that never ends of its own accord, so the next daemon is
/// sure to meet it alive.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(5))) struct `A worker whose daemon was killed` {
    @Test(arguments: ["listens", "does not listen"])
    func `is stopped by the next daemon, which then goes on with the job`(_ manner: String) async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let worker = try Self.makeWorker(in: root)
            let first = try DaemonProcess(root, worker: worker)
            try await first.waitUntilReady()
            try drop(manner, first.state.appending("inbox").appending("cat.png"))
            try await wait(for: "a worker with the lock: \(first.log)") { try Self.holder(first) != nil }
            let orphan = try #require(try Self.holder(first))
            defer { kill(orphan, SIGKILL) }
            try await first.killAtOnce()
            #expect(kill(orphan, 0) == 0, "the worker died with its daemon")

            let next = try DaemonProcess(root, worker: worker)
            try await wait(for: "the result: \(next.log)") { next.list("outbox") == ["cat"] }
            let log = try text(next.state.appending("outbox").appending("cat").appending("job.log"))
            let heard = manner == "listens" ? ["stopped \(orphan)"] : []
            #expect(log.split(separator: "\n").map(String.init) == ["holding \(orphan)"] + heard + ["finished"])
            let starts = next.log.split(separator: "\n").filter { $0.contains("worker starts") }
            #expect(starts.count == 2, "\(next.log)")
            #expect(try await next.stop().status == 0)
        }
    }

    /// The process that holds the lock of the only job and has said so.
    private static func holder(_ daemon: DaemonProcess) throws -> pid_t? {
        guard let job = daemon.list("jobs").first(where: { !$0.hasPrefix(".") }) else { return nil }
        let directory = daemon.state.appending("jobs").appending(job)
        guard daemon.list("jobs/\(job)").contains("holder") else { return nil }
        return pid_t(try text(directory.appending("holder")))
    }

    /// Writes the program and returns its path. It is Perl because the process itself must call flock, as the real
    /// worker does: the lock of the shell's `flock` would be listed under the number of that command, long gone.
    private static func makeWorker(in root: FilePath) throws -> FilePath {
        let path = root.appending("holding-worker")
        try drop(script, path)
        try #require(chmod(path.string, 0o755) == 0)
        return path
    }

    /// The first run holds the lock until it is stopped; the second finishes.
    private static let script = """
        #!/usr/bin/perl
        use strict;
        use Fcntl ':flock';
        exit 64 unless $ARGV[0] eq 'work';
        chdir $ARGV[1] or exit 66;
        # Its words go into the log by its own hand, as the real worker's: its output is heard only while its daemon lives.
        open(STDOUT, '>>', 'job.log') or exit 74;
        $| = 1;
        open(my $lock, '>>', 'lock') or exit 74;
        flock($lock, LOCK_EX | LOCK_NB) or exit 74;
        if (-e 'holder') {
            print "finished\\n";
            mkdir '.result' or exit 74;
            for my $name ('restored.png', 'report.json') { open(my $file, '>', ".result/$name") or exit 74; print $file 'x'; }
            rename '.result', 'result' or exit 74;
            exit 0;
        }
        open(my $input, '<', 'input.png') or exit 66;
        my $listens = <$input> eq 'listens';
        $SIG{TERM} = sub { return unless $listens; print "stopped $$\\n"; exit 75; };
        print "holding $$\\n";
        open(my $holder, '>', '.holder') or exit 74;
        print $holder $$;
        close $holder;
        rename '.holder', 'holder' or exit 74;
        sleep 1 while 1;
        """
}
