import Daemon
import Failures
import Files
import Foundation
import Glibc
import Jobs
import SystemPackage
import TestSupport
import Testing

/// The daemon as a user of its own, with folders as the package makes them, and members of its group who drop, ask and
/// collect: what they can do, and what they cannot.
@Suite(.serialized, .enabled(if: geteuid() == 0, "only root may act as other users"), .timeLimit(.minutes(3)))
struct `A member of the daemon's group` {
    private static let daemon: UInt32 = 54_321
    private static let member: UInt32 = 54_322

    private static func run(
        _ user: UInt32, umask: String = "0022", _ command: [String], in state: FilePath
    ) async throws -> (status: Int32, output: String, errors: String) {
        try await withCheckedThrowingContinuation { continuation in
            Thread {
                continuation.resume(
                    with: Result {
                        let process = Process()
                        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
                        process.arguments =
                            ["--reuid", "\(user)", "--regid", "\(user)", "--groups", "\(user),\(daemon)"]
                            + ["/bin/sh", "-c", "umask \(umask); exec \"$@\"", "sh"] + command
                        process.environment = ["DKP_STATE_DIR": state.string, "PATH": "/usr/bin:/bin"]
                        let (output, errors) = (Pipe(), Pipe())
                        (process.standardOutput, process.standardError) = (output, errors)
                        try process.run()
                        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                        process.waitUntilExit()
                        return (process.terminationStatus, text, said)
                    })
            }.start()
        }
    }

    /// The folders as Systemd/dkpd.tmpfiles has them, and a daemon on them.
    private func withDaemon(
        _ body: (_ state: FilePath, _ dkp: (String...) async throws -> (status: Int32, output: String, errors: String))
            async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { path in
            #expect(chmod(path, 0o755) == 0)
            let root = FilePath(path)
            let state = root.appending("state")
            let worker = try FakeWorker.make(in: root)
            for line in try String(contentsOfFile: Self.tmpfiles, encoding: .utf8).split(separator: "\n") {
                let fields = line.split(separator: " ")
                guard fields.first == "d", let mode = mode_t(fields[2], radix: 8) else { continue }
                let folder = state.string + fields[1].dropFirst("/var/lib/dkpd".count)
                #expect(mkdir(folder, 0o700) == 0 && chown(folder, Self.daemon, Self.daemon) == 0)
                #expect(chmod(folder, mode) == 0)
            }
            try drop("settle_time: 0.2\nrescan_interval: 0.5\nworker: \(worker)\n", root.appending("dkpd.yaml"))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments = [
                "--reuid", "\(Self.daemon)", "--regid", "\(Self.daemon)", "--clear-groups", "/bin/sh", "-c",
                "umask 0007; exec \"$@\"", "sh", try Programs.path("dkpd"), "--config",
                root.appending("dkpd.yaml").string, "--state-dir", state.string,
            ]
            process.standardError = FileHandle.nullDevice
            try process.run()
            defer {
                process.terminate()
                process.waitUntilExit()
            }
            try await wait(for: "the daemon") { StateLock.holder(StateFolder(state)) != nil }
            let program = try Programs.path("dkp")
            try await body(state) { (arguments: String...) in
                try await Self.run(Self.member, umask: "0077", [program] + arguments, in: state)
            }
        }
    }

    private static let tmpfiles = FilePath("\(#filePath)").removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("Systemd/dkpd.tmpfiles").string

    @Test func `submits whatever the umask, sees, cancels, retries, reads the log and deletes`() async throws {
        try await withDaemon { state, dkp in
            let folder = StateFolder(state)
            // Closed to all but the one who submits it.
            let image = folder.root.removingLastComponent().appending("cat.png")
            try drop("endless", image)
            #expect(chown(image.string, Self.member, Self.member) == 0 && chmod(image.string, 0o400) == 0)
            let submitted = try await dkp("submit", image.string, "--set", "seed=5")
            #expect(submitted.status == 0, "\(submitted.errors)")
            try await wait(for: "a worker") { try StateSurvey(folder).counts.running == 1 }
            #expect(try await dkp("status").output.contains("dkpd is up"))
            #expect(try await dkp("logs", "cat").output.contains("run of endless"))
            let cancelled = try await dkp("cancel", "cat.png")
            #expect(cancelled.status == 0 && cancelled.output.contains("rejected/cat"), "\(cancelled)")
            #expect(try text(folder.rejected.appending("cat/error.json")).contains("cancelled by \(Self.member)"))
            #expect(try names(state.appending("requests")) == [])
            let retried = try await dkp("retry", "cat")
            #expect(retried.status == 0, "\(retried.errors)")
            try await wait(for: "a worker again") { try StateSurvey(folder).counts.running == 1 }
            #expect(try await dkp("cancel", "cat.png").status == 0)
            let removed = try await Self.run(
                Self.member, ["/bin/rm", "-r", folder.rejected.appending("cat").string], in: state)
            #expect(removed.status == 0, "\(removed.errors)")
        }
    }

    @Test func `cannot write among the jobs, into a job, the weights, or the lock`() async throws {
        try await withDaemon { state, dkp in
            let folder = StateFolder(state)
            let image = folder.root.removingLastComponent().appending("cat.png")
            try drop("endless", image)
            #expect(try await dkp("submit", image.string).status == 0)
            try await wait(for: "a worker") { try StateSurvey(folder).counts.running == 1 }
            let job = folder.jobs.appending(try #require(names(folder.jobs).first { !$0.hasPrefix(".") }))
            for place in [folder.jobs, job, folder.weights, folder.root] {
                let run = try await Self.run(Self.member, ["/bin/sh", "-c", ": > '\(place)/job.json'"], in: state)
                #expect(run.status != 0, "\(place)")
            }
            let command = ["/usr/bin/flock", "-s", "-n", folder.lock.string, "true"]
            #expect(try await Self.run(Self.member, command, in: state).status != 0)
            #expect(try await dkp("cancel", "cat").status == 0)
        }
    }

    @Test func `is told when the daemon could not read what is submitted`() async throws {
        try await withDaemon { state, dkp in
            let inbox = state.appending("inbox")
            // Neither group nor set-group-ID bit: files get the member's own group.
            #expect(chown(inbox.string, Self.daemon, Self.member) == 0 && chmod(inbox.string, 0o770) == 0)
            let image = state.removingLastComponent().appending("cat.png")
            try drop("ok", image)
            let run = try await dkp("submit", image.string)
            #expect(run.status == 73 && run.errors.contains("could not read") && run.errors.contains("chgrp"), "\(run)")
            #expect(try names(inbox) == [])
        }
    }
}

@Suite(.timeLimit(.minutes(3))) struct `Files that others may have made` {
    private func withFolder(_ body: (StateFolder) throws -> Void) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            try body(folder)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give files away"))
    func `a job directory of another user is left alone, with what to do`() throws {
        try withFolder { folder in
            let id = try #require(JobID("20260101-000000-001"))
            let protocols = Protocols(folder, MortalFileSystem(changes: .max))
            try drop("ok", folder.inbox.appending("cat.png"))
            #expect(try protocols.claim.claim(component("cat.png"), as: id))
            #expect(chown(folder.job(id).string, 54_321, 54_321) == 0)
            let found = try protocols.recovery.run()
            #expect(found.jobs.isEmpty && found.warnings.count == 1)
            #expect(found.warnings[0].contains("belongs to 54321") && found.warnings[0].contains("chown"))
            #expect(try names(folder.jobs) == [id.description])
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give files away"))
    func `what is asked of a job in another's file is refused, and the image kept`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            let id = try #require(JobID("20260101-000000-001"))
            try drop("ok", folder.inbox.appending("cat.png"))
            let protocols = Protocols(folder, MortalFileSystem(changes: .max))
            #expect(try protocols.claim.claim(component("cat.png"), as: id))
            #expect(chmod(folder.job(id).string, 0o770) == 0)
            #expect(chown(folder.job(id).appending("job.json").string, 54_321, 54_321) == 0)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await wait(for: "the rejection: \(daemon.log)") { daemon.list("rejected") == ["cat"] }
            #expect(try text(folder.rejected.appending("cat/error.json")).contains("belongs to 54321"))
            #expect(try text(folder.rejected.appending("cat/original.png")) == "ok")
            #expect(!daemon.log.contains("worker starts"))
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `a link in the place of a rejection, its image or its settings is not followed by retry`() throws {
        try withFolder { folder in
            let outside = folder.root.appending("outside")
            try LocalFileSystem().makeDirectory(outside)
            try drop("secret", outside.appending("original.png"))
            try drop("{}", outside.appending("error.json"))
            let link = folder.rejected.appending("cat")
            #expect(symlink(outside.string, link.string) == 0)
            let found = try JobFinder(folder).find("cat", in: [.rejected])
            #expect(throws: FileError.self) {
                try Retrial(folder).retry(found, changes: [], keepsSettings: true)
            }
            #expect(try names(outside) == ["error.json", "original.png"] && names(folder.inbox) == [])

            try LocalFileSystem().removeFile(link)
            try LocalFileSystem().makeDirectory(link)
            #expect(symlink(outside.appending("original.png").string, link.appending("original.png").string) == 0)
            #expect(symlink(outside.appending("error.json").string, link.appending("settings.yaml").string) == 0)
            let outcome = try Retrial(folder).retry(found, changes: [], keepsSettings: true)
            #expect(outcome.place == nil && outcome.left == ["original.png"])
            #expect(try names(outside) == ["error.json", "original.png"] && names(folder.inbox) == [])
        }
    }

    @Test func `a tree is removed without following its links`() throws {
        try withFolder { folder in
            try drop("kept", folder.outbox.appending("kept"))
            let tree = folder.rejected.appending("cat")
            try LocalFileSystem().makeDirectory(tree)
            try LocalFileSystem().makeDirectory(tree.appending("deep"))
            try drop("x", tree.appending("deep/file"))
            #expect(symlink(folder.outbox.string, tree.appending("deep/link").string) == 0)
            try LocalFileSystem().removeTree(tree)
            #expect(try names(folder.rejected) == [] && names(folder.outbox) == ["kept"])
        }
    }

    @Test func `retry takes the image that the daemon named, and leaves what is not the daemon's`() throws {
        try withFolder { folder in
            let place = folder.rejected.appending("cat")
            try LocalFileSystem().makeDirectory(place)
            for name in ["original.png.yaml", "original.yaml", "original.tmp", "notes.txt"] {
                try drop("no image", place.appending(name))
            }
            try drop("image", place.appending("original.png"))
            let found = try JobFinder(folder).find("cat", in: [.rejected])
            let outcome = try Retrial(folder).retry(found, changes: [], keepsSettings: true)
            #expect(outcome.place == folder.inbox.appending("cat.png"))
            #expect(try text(folder.inbox.appending("cat.png")) == "image")
            #expect(outcome.left == ["notes.txt", "original.tmp"])
        }
    }

    @Test func `retry asks which of two images is meant`() throws {
        try withFolder { folder in
            let place = folder.rejected.appending("cat")
            try LocalFileSystem().makeDirectory(place)
            for name in ["original.png", "original.jpg"] { try drop("image", place.appending(name)) }
            let found = try JobFinder(folder).find("cat", in: [.rejected])
            #expect(throws: RestorationError.self) {
                try Retrial(folder).retry(found, changes: [], keepsSettings: true)
            }
            #expect(try names(place) == ["original.jpg", "original.png"])
        }
    }

    @Test func `a request that is no file neither cancels nor holds anything up`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            let id = try #require(JobID("20260101-000000-001"))
            try drop("ok", folder.inbox.appending("cat.png"))
            let protocols = Protocols(folder, MortalFileSystem(changes: .max))
            #expect(try protocols.claim.claim(component("cat.png"), as: id))
            for name in ["cancel-\(id)", "cancel-20260101-000000-002", "nonsense"] {
                try LocalFileSystem().makeDirectory(folder.root.appending("requests").appending(name))
            }
            #expect(mkfifo(folder.root.appending("requests/cancel-20260101-000000-003").string, 0o666) == 0)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root))
            try await wait(for: "the result: \(daemon.log)") { daemon.list("outbox") == ["cat"] }
            #expect(try await daemon.stop().status == 0)
        }
    }

    @Test func `a user without an account is named by the number`() {
        #expect(UserAccount(3_999_999_999).name == "3999999999")
        #expect(UserAccount(0).name == "root")
        #expect(!FileError(.permissionDenied, "create", "/x").description.contains("user  "))
    }

    @Test func `a write that cannot be put in place leaves nothing`() throws {
        try withFolder { folder in
            try LocalFileSystem().makeDirectory(folder.outbox.appending("file"))
            #expect(throws: FileError.self) { try LocalFileSystem().write([1], to: folder.outbox.appending("file")) }
            #expect(try names(folder.outbox) == ["file"])
        }
    }
}
