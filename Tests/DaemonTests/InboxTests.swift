import Daemon
import Files
import Foundation
import Glibc
import Logging
import SystemPackage
import TestSupport
import Testing

@Suite struct `The inbox` {
    @Test(arguments: [
        ("cat.png", InboxRules.NameKind.work), ("text", .work), (".cat.png.X3a2", .temporary),
        ("cat.png.part", .temporary),
        ("cat.TMP", .temporary), ("cat.crdownload", .temporary), ("cat.png~", .temporary), ("cat.png.yaml", .settings),
        ("dkp.yaml", .settings), ("tmp.png", .work), ("part", .work), ("cat.png.filepart", .temporary),
        ("cat.png.7f3a.partial", .temporary), ("cat.png.opdownload", .temporary), ("cat.png.YML", .settings),
    ]) func `tells work from other names`(name: String, kind: InboxRules.NameKind) throws {
        #expect(InboxRules.kind(of: try component(name)) == kind)
    }

    @Test func `takes a file whose writer has closed it at once, and others when they have settled`() throws {
        try withInbox { inbox, scanner in
            let now = ContinuousClock.now
            try drop("one", inbox.appending("one.png"))
            try drop("two", inbox.appending("two.png"))
            var finding = try scanner.scan(closed: [item("one.png")], now: now)
            #expect(finding.ready == [try item("one.png")] && finding.isWaiting)
            finding = try scanner.scan(closed: [], now: now + .seconds(1))
            #expect(finding.ready == [])
            finding = try scanner.scan(closed: [], now: now + .seconds(2))
            #expect(finding.ready == [try item("two.png")])
        }
    }

    @Test func `gives an empty file the settle time after its last change, closed or not`() throws {
        try withInbox { inbox, scanner in
            let now = ContinuousClock.now
            let closed: Set = [try item("one.png")]
            try drop("", inbox.appending("one.png"))
            #expect(try scanner.scan(closed: closed, now: now) == .init(ready: [], isWaiting: true))
            #expect(try scanner.scan(closed: closed, now: now + .seconds(1)).ready == [])
            // As WebDAV, SMB and browsers do: the image takes the place of the empty file.
            try drop("image", inbox.appending("one.png.part"))
            #expect(rename(inbox.appending("one.png.part").string, inbox.appending("one.png").string) == 0)
            #expect(try scanner.scan(closed: [], now: now + .seconds(2)).ready == [])
            #expect(try scanner.scan(closed: closed, now: now + .seconds(2)).ready == [item("one.png")])
            try drop("", inbox.appending("two.png"))
            #expect(try scanner.scan(closed: [], now: now + .seconds(3)).ready == [])
            #expect(try scanner.look(at: [item("two.png")], closed: [], now: now + .seconds(5)).ready.count == 1)
        }
    }

    @Test func `waits for the settings beside a file to be written`() throws {
        try withInbox { inbox, scanner in
            let now = ContinuousClock.now
            let closed: Set = [try item("one.png")]
            let writer = try FileDescriptor.open(
                inbox.appending("one.png.yaml"), .writeOnly, options: .create, permissions: [.ownerReadWrite])
            try drop("image", inbox.appending("one.png"))
            _ = try writer.writeAll("scale".utf8)
            #expect(try scanner.scan(closed: closed, now: now) == .init(ready: [], isWaiting: true))
            #expect(try scanner.scan(closed: closed, now: now + .seconds(60)).ready == [])
            _ = try writer.writeAll(": 2".utf8)
            try writer.close()
            #expect(
                try scanner.scan(closed: closed, now: now + .seconds(61)).ready == closed.sorted { $0.text < $1.text })
        }
    }

    @Test func `says once of settings that have no effect`() throws {
        let log = LogCapture()
        try withInbox(Logger(label: "test") { _ in log }) { inbox, scanner in
            let now = ContinuousClock.now
            try drop("scale: 2", inbox.appending("dkp.yml"))
            try drop("scale: 2", inbox.appending("early.png.yaml"))
            scanner.note(taken: try item("late.png"), at: Date(timeIntervalSinceNow: -60))
            try drop("scale: 2", inbox.appending("late.png.yaml"))
            try drop("scale: 2", inbox.appending("late.yml"))
            for second in [0, 1, 2, 4, 6] { _ = try scanner.scan(closed: [], now: now + .seconds(second)) }
            let names = log.lines.compactMap { $0.firstMatch(of: /name=(\S+)/).map { String($0.1) } }
            #expect(names.sorted() == ["dkp.yml", "late.png.yaml", "late.yml"], "\(log.lines)")
            #expect(log.lines.filter { $0.contains("after its image was taken") }.count == 2)
        }
    }

    @Test func `waits on for a file that still grows`() throws {
        try withInbox { inbox, scanner in
            let now = ContinuousClock.now
            for second in 0..<5 {
                try drop(String(repeating: "x", count: second + 1), inbox.appending("one.png"))
                #expect(try scanner.scan(closed: [], now: now + .seconds(2 * second)).ready == [])
            }
            #expect(try scanner.scan(closed: [], now: now + .seconds(10)).ready.count == 1)
        }
    }

    @Test func `waits for a file that someone has open for writing, though it stands still`() throws {
        try withInbox { inbox, scanner in
            let path = inbox.appending("one.png")
            let now = ContinuousClock.now
            let writer = try FileDescriptor.open(
                path, .writeOnly, options: .create, permissions: [.ownerReadWrite])
            _ = try scanner.scan(closed: [], now: now)
            let finding = try scanner.scan(closed: [item("one.png")], now: now + .seconds(60))
            #expect(finding == .init(ready: [], isWaiting: true))
            try writer.close()
            #expect(try scanner.scan(closed: [], now: now + .seconds(120)).ready.count == 1)
        }
    }

    @Test func `opens and follows nothing but files`() throws {
        try withInbox { inbox, scanner in
            func path(_ name: String) -> String { inbox.appending(name).string }
            #expect(symlink("/etc/passwd", path("link.png")) == 0)
            #expect(symlink("nowhere", path("dangling.png")) == 0)
            #expect(mkfifo(path("pipe.png"), 0o600) == 0)
            #expect(mkdir(path("folder.png"), 0o700) == 0)
            try drop("real", inbox.appending("real.png"))
            let all = try Set(LocalFileSystem().entries(inbox).map { InboxItem($0) })
            let finding = try scanner.scan(closed: all, now: .now)
            #expect(finding == .init(ready: [try item("real.png")], isWaiting: false))
            #expect(throws: FileError.self) { try LocalFileSystem().read(inbox.appending("link.png"), limit: 10) }
            #expect(throws: FileError.self) { try LocalFileSystem().read(inbox.appending("pipe.png"), limit: 10) }
        }
    }

    @Test func `gives those that came first first`() throws {
        try withInbox { inbox, scanner in
            for name in ["c.png", "a.png", "b.png"] {
                try drop(name, inbox.appending(name))
                usleep(20_000)
            }
            let all = try Set(LocalFileSystem().entries(inbox).map { InboxItem($0) })
            #expect(try scanner.scan(closed: all, now: .now).ready.map(\.text) == ["c.png", "a.png", "b.png"])
        }
    }

    @Test(.timeLimit(.minutes(1))) func `is watched for closed and renamed files and for its own end`() async throws {
        try await withTemporaryDirectory { path in
            let inbox = FilePath(path).appending("inbox")
            try LocalFileSystem().makeDirectory(inbox)
            let wakeup = Wakeup()
            let watcher = try InboxWatcher(inbox, wakeup: wakeup)
            var news = InboxWatcher.News()
            func hear(until isHeard: (InboxWatcher.News) -> Bool) async {
                for await _ in wakeup.wakeups {
                    let more = watcher.takeNews()
                    news.items.formUnion(more.items)
                    news.isIncomplete = news.isIncomplete || more.isIncomplete
                    if isHeard(news) { return }
                }
            }
            try drop("x", inbox.appending("closed \n 🐈.png"))
            try drop("x", FilePath(path).appending("elsewhere"))
            #expect(rename(path + "/elsewhere", inbox.appending("renamed.png").string) == 0)
            await hear { $0.items.count == 2 }
            #expect(news.items == [try item("closed \n 🐈.png"), try item("renamed.png")])
            #expect(!news.isIncomplete)
            try LocalFileSystem().removeTree(inbox)
            await hear { $0.isIncomplete }
        }
    }

    @Test func `knows which files are being written`() throws {
        try withTemporaryDirectory { path in
            let inbox = FilePath(path).appending("inbox")
            try LocalFileSystem().makeDirectory(inbox)
            let wakeup = Wakeup()
            let watcher = try InboxWatcher(inbox, wakeup: wakeup)
            func open(_ name: String) throws -> FileDescriptor {
                try FileDescriptor.open(
                    inbox.appending(name), .writeOnly, options: .create, permissions: [.ownerReadWrite])
            }
            let first = try open("first.png")
            let second = try open("second.tmp")
            #expect(watcher.takeNews() == .init())
            for writer in [first, second] { _ = try writer.writeAll("x".utf8) }
            #expect(try watcher.filesBeingWritten() == [item("first.png"), item("second.tmp")])
            // Written on under another name, and not at all any more.
            #expect(rename(inbox.appending("second.tmp").string, inbox.appending("second.png").string) == 0)
            #expect(try watcher.filesBeingWritten() == [item("first.png"), item("second.png")])
            #expect(watcher.takeNews().items == [])
            try second.close()
            let news = watcher.takeNews()
            #expect(try news.items == [item("second.png")] && news.writing == [item("first.png")])
            #expect(unlink(inbox.appending("first.png").string) == 0)
            #expect(watcher.filesBeingWritten() == [])
            // A link is nothing that is written.
            #expect(link(inbox.appending("second.png").string, inbox.appending("link.png").string) == 0)
            #expect(watcher.filesBeingWritten() == [])

            // A new folder is watched before anyone has asked for it.
            try LocalFileSystem().makeDirectory(inbox.appending("holiday"))
            #expect(watcher.takeNews().isIncomplete)
            let third = try open("holiday/cat.png")
            _ = try third.writeAll("x".utf8)
            #expect(try watcher.filesBeingWritten() == [item("holiday/cat.png")])
            #expect(watcher.watch(folders: [try component("holiday")]) == (true, nil))
            #expect(try watcher.filesBeingWritten() == [item("holiday/cat.png")])
            #expect(watcher.watch(folders: []) == (false, nil))
            #expect(watcher.filesBeingWritten() == [])
            try first.close()
            try third.close()
        }
    }

    @Test func `rejects at once what is over a limit, by its header alone`() throws {
        let bomb: [UInt8] =
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8) + [0, 1, 0x86, 0xA0]
            + [0, 1, 0x86, 0xA0, 8, 2, 0, 0, 0]
        var strip = bomb
        strip.replaceSubrange(16..<24, with: [0, 0, 0, 101, 0, 0, 0, 1])
        for (bytes, sentence) in [
            (bomb, "100000 x 100000 pixels"), ([UInt8](repeating: 0, count: 2000), "2000 bytes"),
            (strip, "limits: side"),
        ] {
            try withTemporaryDirectory { path in
                let folder = StateFolder(FilePath(path))
                let files = MortalFileSystem(changes: .max)
                try folder.create(files)
                try LocalFileSystem().write(bytes, to: folder.inbox.appending("x.png"))
                let protocols = Protocols(folder, files, limits: InputLimits(bytes: 1000, pixels: 1000, side: 100))
                let id = try #require(JobID("20260804-153012-345"))
                #expect(try protocols.claim.claim(component("x.png"), as: id))
                #expect(try JobPhase(of: folder.job(id), files) == .rejecting)
                let place = try protocols.publication.completeRejection(id, name: "x.png")
                #expect(try text(place.appending("error.json")).contains(sentence))
            }
        }
    }

    @Test(arguments: [
        "oracle_kernel: /etc/passwd", "steps: -1", "\u{0}", "[", "&a [*a, *a]", "weights: /etc/passwd",
        "weights: ../secret.h5", "weights: sub/model.h5", "weights: .hidden.h5",
    ])
    func `refuses settings beside an image that it cannot or must not use`(yaml: String) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            let files = MortalFileSystem(changes: .max)
            try folder.create(files)
            try drop(yaml, folder.inbox.appending("x.png.yaml"))
            try drop("image", folder.inbox.appending("x.png"))
            let id = try #require(JobID("20260804-153012-345"))
            #expect(try Protocols(folder, files).claim.claim(component("x.png"), as: id))
            #expect(try JobPhase(of: folder.job(id), files) == .rejecting)
            #expect(try names(folder.inbox) == [])
        }
    }

    @Test func `looks up the name of weights in the folder of weights`() throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            let files = MortalFileSystem(changes: .max)
            try folder.create(files)
            try drop("weights", folder.weights.appending("faces.h5"))
            for (index, (name, file)) in [
                ("faces", "faces.h5"), ("faces.h5#small", "faces.h5#small"), ("missing", "missing"),
            ].enumerated() {
                try drop("method: diff-dkp\nweights: \(name)", folder.inbox.appending("x.png.yaml"))
                try drop("image", folder.inbox.appending("x.png"))
                let id = try #require(JobID("20260804-153012-34\(index)"))
                #expect(try Protocols(folder, files).claim.claim(component("x.png"), as: id))
                let record = try text(folder.job(id).appending("job.json"))
                #expect(record.contains("\"weights\" : \"\(folder.weights)/\(file)\""), "\(record)")
            }
        }
    }

    @Test func `takes a file whose name is no text`() throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            let files = MortalFileSystem(changes: .max)
            try folder.create(files)
            let bytes: [CChar] = [99, -1, -2, 46, 112, 110, 103, 0]
            let name = try #require(
                bytes.withUnsafeBufferPointer { $0.baseAddress.flatMap { FilePath.Component(platformString: $0) } })
            try LocalFileSystem().write(Array("image".utf8), to: FilePath(path).appending("x"))
            try files.rename(FilePath(path).appending("x"), to: folder.inbox.appending(name))
            let id = try #require(JobID("20260804-153012-345"))
            #expect(try Protocols(folder, files).claim.claim(name, as: id))
            #expect(try text(folder.job(id).appending("input.png")) == "image")
            #expect(try names(folder.inbox) == [] && names(folder.jobs) == [id.description])
        }
    }

    @Test func `puts a name that became a link in the last moment back where it was`() throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            let files = MortalFileSystem(changes: .max)
            try folder.create(files)
            #expect(symlink("/etc/passwd", folder.inbox.appending("x.png").string) == 0)
            let id = try #require(JobID("20260804-153012-345"))
            #expect(try !Protocols(folder, files).claim.claim(component("x.png"), as: id))
            #expect(try !Protocols(folder, files).claim.claim(component("gone.png"), as: id))
            #expect(try names(folder.inbox) == ["x.png"])
            #expect(try names(folder.jobs) == [])
        }
    }

    private func withInbox(
        _ logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ body: (FilePath, inout InboxScanner) throws -> Void
    ) throws {
        try withTemporaryDirectory { path in
            let inbox = FilePath(path)
            var scanner = InboxScanner(inbox, files: LocalFileSystem(), settleTime: .seconds(2), logger: logger)
            try body(inbox, &scanner)
        }
    }
}
