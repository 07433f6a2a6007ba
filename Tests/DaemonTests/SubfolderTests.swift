import Daemon
import Files
import Foundation
import Glibc
import Jobs
import Logging
import SystemPackage
import TestSupport
import Testing

@Suite struct `Sub-folders of the inbox` {
    let now = ContinuousClock.now

    @Test func `are looked into once they hold a complete dkp.yaml`() throws {
        try withInbox { inbox, scanner in
            let folder = inbox.appending("holiday")
            try LocalFileSystem().makeDirectory(folder)
            try drop("image", folder.appending("cat.png"))
            let closed: Set = [try item("holiday/cat.png")]
            #expect(try scanner.scan(closed: closed, now: now) == .init())
            #expect(scanner.folders == [try component("holiday")])

            let path = folder.appending("dkp.yaml")
            let writer = try FileDescriptor.open(path, .writeOnly, options: .create, permissions: [.ownerReadWrite])
            let settled = now + .seconds(60)
            _ = try scanner.scan(closed: closed, now: now)
            #expect(try scanner.scan(closed: closed, now: settled) == .init(ready: [], isWaiting: true))
            try writer.close()
            #expect(try scanner.scan(closed: closed, now: settled).ready == [item("holiday/cat.png")])
            #expect(try scanner.look(at: [item("holiday/dkp.yaml")], closed: closed, now: settled).ready.count == 1)
            #expect(try scanner.look(at: [item("holiday/none.png")], closed: closed, now: settled).ready == [])
        }
    }

    @Test func `are not left through links, and not gone into further`() throws {
        try withInbox { inbox, scanner in
            let outside = inbox.removingLastComponent().appending("outside")
            try LocalFileSystem().makeDirectory(outside)
            try drop("", outside.appending("dkp.yaml"))
            try drop("image", outside.appending("secret.png"))
            #expect(symlink(outside.string, inbox.appending("link").string) == 0)
            let folder = inbox.appending("holiday")
            try LocalFileSystem().makeDirectory(folder)
            try LocalFileSystem().makeDirectory(folder.appending("deeper"))
            try drop("", folder.appending("dkp.yaml"))
            try drop("image", folder.appending("deeper").appending("cat.png"))
            #expect(symlink(outside.appending("secret.png").string, folder.appending("secret.png").string) == 0)
            let all: Set = [
                try item("link/dkp.yaml"), try item("link/secret.png"), try item("holiday/dkp.yaml"),
                try item("holiday/secret.png"),
            ]
            #expect(try scanner.scan(closed: all, now: now).ready == [])
            #expect(try scanner.look(at: [item("link/secret.png")], closed: all, now: now).ready == [])
        }
    }

    @Test func `give their settings to their images, whose own win`() throws {
        try withState { folder, protocols, id in
            let holiday = folder.inbox.appending("holiday")
            try LocalFileSystem().makeDirectory(holiday)
            try drop("scale: 2\nseed: 7\npriority: 5", holiday.appending("dkp.yaml"))
            try drop("seed: 8\npriority: -3", holiday.appending("cat.png.yaml"))
            for name in ["cat.png", "dog.png"] { try drop("image", holiday.appending(name)) }
            #expect(try protocols.claim.claim(item("holiday/cat.png"), as: id))
            let other = try #require(JobID("20260804-153012-346"))
            #expect(try protocols.claim.claim(item("holiday/dog.png"), as: other))

            let cat = try JobDirectory.open(folder.job(id).string).record
            #expect(cat.settings.scale == 2 && cat.settings.seed == 8 && cat.originalName == "holiday/cat.png")
            let dog = try JobDirectory.open(folder.job(other).string).record
            #expect(dog.settings.scale == 2 && dog.settings.seed == 7)
            #expect(try JobLedger.read(from: folder.job(id), LocalFileSystem())?.priority == -3)
            #expect(try JobLedger.read(from: folder.job(other), LocalFileSystem())?.priority == 5)
            #expect(try names(holiday) == ["dkp.yaml"])
            #expect(try names(folder.jobs) == [id.description, other.description])
        }
    }

    @Test(arguments: ["colour: red", "priority: 101", "priority: high", "priority: [1]", "oracle_kernel: /etc/passwd"])
    func `with settings that cannot be used reject their images by name`(yaml: String) throws {
        try withState { folder, protocols, id in
            let holiday = folder.inbox.appending("holiday")
            try LocalFileSystem().makeDirectory(holiday)
            try drop(yaml, holiday.appending("dkp.yaml"))
            try drop("image", holiday.appending("cat.png"))
            #expect(try protocols.claim.claim(item("holiday/cat.png"), as: id))
            let place = try protocols.publication.completeRejection(id, name: "holiday/cat.png")
            #expect(place.lastComponent?.string == "holiday-cat")
            let report = try text(place.appending("error.json"))
            #expect(report.contains("holiday/dkp.yaml") && report.contains(String(yaml.prefix { $0 != ":" })))
            #expect(try text(place.appending("original.png")) == "image")
        }
    }

    @Test func `that became links in the last moment lead nowhere`() throws {
        try withState { folder, protocols, id in
            let outside = folder.root.appending("outside")
            try LocalFileSystem().makeDirectory(outside)
            try drop("image", outside.appending("cat.png"))
            #expect(symlink(outside.string, folder.inbox.appending("holiday").string) == 0)
            #expect(throws: FileError.self) { try protocols.claim.claim(item("holiday/cat.png"), as: id) }
            #expect(try !protocols.claim.claim(item("gone/cat.png"), as: id))
            let bare = folder.inbox.appending("without")
            try LocalFileSystem().makeDirectory(bare)
            try drop("image", bare.appending("cat.png"))
            #expect(try !protocols.claim.claim(item("without/cat.png"), as: id))
            #expect(try names(bare) == ["cat.png"])
            #expect(try names(outside) == ["cat.png"] && names(folder.jobs) == [])
        }
    }

    @Test(.tags(.slow)) func `lose nothing when a claim ends anywhere`() throws {
        var changes = 0
        var isComplete = false
        while !isComplete {
            try withMemoryDirectory { path in
                let folder = StateFolder(path)
                try folder.create(LocalFileSystem())
                let holiday = folder.inbox.appending("holiday")
                try LocalFileSystem().makeDirectory(holiday)
                try drop("scale: 2\npriority: 9", holiday.appending("dkp.yaml"))
                try drop("seed: 7", holiday.appending("cat.png.yaml"))
                try drop("image", holiday.appending("cat.png"))
                let dying = MortalFileSystem(changes: changes)
                let id = try #require(JobID("20260804-153012-345"))
                let claim = Protocols(folder, dying).claim
                do { _ = try claim.claim(item("holiday/cat.png"), as: id) } catch  where dying.isDead {}
                isComplete = !dying.isDead

                let living = Protocols(folder, MortalFileSystem(changes: .max))
                _ = try living.recovery.run()
                if try names(holiday).contains("cat.png") {
                    #expect(try living.claim.claim(item("holiday/cat.png"), as: id))
                }
                let found = try living.recovery.run()
                #expect(found.warnings == [] && found.jobs.map(\.id) == [id], "after \(changes) changes")
                #expect(found.jobs.map(\.ledger.priority) == [9], "after \(changes) changes")
                let record = try JobDirectory.open(folder.job(id).string).record
                #expect(record.settings.scale == 2 && record.settings.seed == 7)
                #expect(try names(holiday) == ["dkp.yaml"] && names(folder.jobs) == [id.description])
            }
            changes += 1
            try #require(changes < 100)
        }
        #expect(changes > 10)
    }

    @Test func `are watched when they come and no more when they go`() async throws {
        try await withTemporaryDirectory { path in
            let inbox = FilePath(path).appending("inbox")
            try LocalFileSystem().makeDirectory(inbox)
            let wakeup = Wakeup()
            let watcher = try InboxWatcher(inbox, wakeup: wakeup)
            var news = InboxWatcher.News()
            func hear(until isHeard: (InboxWatcher.News) -> Bool) async {
                news = .init()
                for await _ in wakeup.wakeups {
                    let more = watcher.takeNews()
                    news.items.formUnion(more.items)
                    news.isIncomplete = news.isIncomplete || more.isIncomplete
                    if isHeard(news) { return }
                }
            }
            let folder = inbox.appending("holiday")
            try LocalFileSystem().makeDirectory(folder)
            await hear { $0.isIncomplete }
            #expect(watcher.watch(folders: [try component("holiday")]) == (true, nil))
            #expect(watcher.watch(folders: [try component("holiday")]) == (false, nil))
            try drop("x", folder.appending("cat.png"))
            await hear { !$0.items.isEmpty }
            #expect(news.items == [try item("holiday/cat.png")] && !news.isIncomplete)

            // Moved away, it is not the inbox's any more.
            #expect(rename(folder.string, path + "/elsewhere") == 0)
            await hear { $0.isIncomplete }
            try drop("x", FilePath(path + "/elsewhere/dog.png"))
            try drop("x", inbox.appending("last.png"))
            await hear { !$0.items.isEmpty }
            #expect(news.items == [try item("last.png")])
        }
    }

    private func withInbox(_ body: (FilePath, inout InboxScanner) throws -> Void) throws {
        try withTemporaryDirectory { path in
            let inbox = FilePath(path).appending("inbox")
            try LocalFileSystem().makeDirectory(inbox)
            var scanner = InboxScanner(
                inbox, files: LocalFileSystem(), settleTime: .seconds(2),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try body(inbox, &scanner)
        }
    }

    private func withState(_ body: (StateFolder, Protocols, JobID) throws -> Void) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            let files = MortalFileSystem(changes: .max)
            try folder.create(files)
            try body(folder, Protocols(folder, files), try #require(JobID("20260804-153012-345")))
        }
    }
}
