import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The daemon as an unprivileged user, and two other users who write into its inbox at once, with pauses, and are killed.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(60)), .enabled(if: OtherUsers.canBeHad, "takes root"))
struct `Two other users write at once` {
    /// Writes COUNT files named PREFIX1.png on: some at once, some with pauses in the midst, some renamed into place, some
    /// made empty first. Each ends in the word "whole".
    private static let writer = """
        inbox=$0 prefix=$1 count=$2
        RANDOM=$3
        umask 022
        for ((i = 1; i <= count; i++)); do
            file=$inbox/$prefix$i.png
            case $((RANDOM % 4)) in
            0) echo "ok whole" > "$file" ;;
            1) { printf 'ok '; sleep 0.$((RANDOM % 10)); printf 'first '; sleep 0.$((RANDOM % 10)); echo whole; } > "$file" ;;
            2) echo "ok whole" > "$file.part"; sleep 0.0$((RANDOM % 10)); mv "$file.part" "$file" ;;
            3) : > "$file.tmp"; sleep 0.0$((RANDOM % 10)); echo "ok whole" > "$file.tmp"; mv -n "$file.tmp" "$file" ;;
            esac
        done
        """

    @Test func `and every file comes out whole, once, through kills of the daemon`() async throws {
        let count = Soak.count(12, full: 500)
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try LocalFileSystem().makeDirectory(folder.root)
            try folder.create(LocalFileSystem())
            let worker = try FakeWorker.make(in: root)
            #expect(chmod(root.string, 0o755) == 0 && chmod(folder.inbox.string, 0o777) == 0)
            for path in try FileManager.default.subpathsOfDirectory(atPath: folder.root.string) + [""] {
                #expect(chown("\(folder.root)/\(path)", OtherUsers.user, OtherUsers.user) == 0)
            }
            let writers = try [uid_t(0), 65_533].map { user in
                let writer = Process()
                writer.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
                writer.arguments = [
                    "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "bash", "-c", Self.writer,
                    folder.inbox.string, "u\(user)x", "\(count)", "\(Soak.seed % 30_000 + UInt64(user) % 7)",
                ]
                try writer.run()
                return writer
            }
            var random = SplitMix(state: Soak.seed &+ 22)
            var kills = 0
            func start() throws -> DaemonProcess {
                // Of a file that was opened before it began, a daemon knows only that it has not changed for a while.
                try DaemonProcess(
                    root, worker: worker, settings: "workers: 2\nattempts: 100\nsettle_time: 3",
                    launcher: OtherUsers.launcher)
            }
            while writers.contains(where: \.isRunning) {
                let daemon = try start()
                try await daemon.waitUntilReady()
                try await Task.sleep(for: .milliseconds(Int.random(in: 500...4000, using: &random)))
                try await daemon.killAtOnce()
                kills += 1
            }
            let daemon = try start()
            try await wait(for: "\(2 * count) results: \(daemon.lastWords)", limit: .seconds(3000)) {
                daemon.list("outbox").count + daemon.list("rejected").count >= 2 * count
                    && daemon.list("jobs").isEmpty && daemon.list("inbox").isEmpty
            }
            let expected = Set((1...count).flatMap { ["u0x\($0)", "u65533x\($0)"] })
            let found = daemon.list("outbox")
            #expect(Set(found) == expected, "\(daemon.lastWords)")
            let broken = try found.count { name in
                let image = folder.outbox.appending(name).appending("restored.png")
                return try !text(image).hasSuffix("whole\n")
            }
            #expect(broken == 0)
            #expect(try await daemon.stop().status == 0)
            Soak.report(
                "two users",
                [
                    "files": 2 * count, "kills of the daemon": kills,
                    "lost": expected.subtracting(found).count, "twice": found.count - Set(found).count,
                    "not whole": broken,
                ])
        }
    }
}
