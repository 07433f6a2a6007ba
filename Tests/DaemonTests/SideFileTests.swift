import Daemon
import Files
import Foundation
import Glibc
import Jobs
import SystemPackage
import TestSupport
import Testing

@Suite struct `Settings beside an image` {
    @Test(arguments: [
        ("x.png", "x.png.yaml"), ("x.png", "x.png.yml"), ("x.png", "x.png.YAML"), ("x.png", "x.png.Yml"),
        ("x.png", "x.yaml"), ("x.png", "x.YML"), ("x", "x.yaml"), ("x.y.png", "x.y.yml"),
    ]) func `hold under every name that can mean one image only`(image: String, side: String) throws {
        try withState { folder, protocols, id in
            try drop("seed: 7", folder.inbox.appending(side))
            try drop("image", folder.inbox.appending(image))
            #expect(try protocols.claim.claim(component(image), as: id))
            #expect(try JobDirectory.open(folder.job(id).string).record.settings.seed == 7)
            #expect(try names(folder.inbox) == [] && names(folder.jobs) == [id.description])
        }
    }

    @Test(arguments: [
        (["x.png.yaml", "x.png.yml"], "could both be meant"), (["x.png.yml", "x.yaml"], "could both be meant"),
        (["x.yaml", "x.jpg"], "could be meant for it or for x.jpg; call it x.png.yaml"),
        (["x.yml", "x"], "could be meant for it or for x;"), (["x.png.yaml/"], "is a directory"),
        (["x.png.yml|"], "is a FIFO"),
        (["x.png.yaml@"], "is a symbolic link"), (["x.yaml@"], "is a symbolic link"),
    ]) func `that could mean another thing, or are no file, reject the image and stay`(
        others: [String], sentence: String
    ) throws {
        try withState { folder, protocols, id in
            for other in others {
                let path = folder.inbox.appending(String(other.filter { !"/|@".contains($0) }))
                switch other.last {
                case "/": try LocalFileSystem().makeDirectory(path)
                case "|": #expect(mkfifo(path.string, 0o600) == 0)
                case "@": #expect(symlink("/etc/passwd", path.string) == 0)
                default: try drop("seed: 7", path)
                }
            }
            let before = try names(folder.inbox)
            try drop("image", folder.inbox.appending("x.png"))
            #expect(try protocols.claim.claim(component("x.png"), as: id))
            let place = try protocols.publication.completeRejection(id, name: "x.png")
            let report = try text(place.appending("error.json"))
            #expect(report.contains(sentence) && report.contains("malformed_settings"), "\(report)")
            #expect(try text(place.appending("original.png")) == "image")
            #expect(try names(folder.inbox) == before && names(folder.jobs) == [])
        }
    }

    @Test(arguments: ["y.yaml", "x.png.jpg.yaml", "x.png.yaml.png", "dkp.yaml", "x.pngyaml"])
    func `of other images are none of this one's`(other: String) throws {
        try withState { folder, protocols, id in
            try drop("seed: 7", folder.inbox.appending(other))
            try drop("image", folder.inbox.appending("x.png"))
            #expect(try protocols.claim.claim(component("x.png"), as: id))
            #expect(try JobDirectory.open(folder.job(id).string).record.settings.seed == 0)
            #expect(try names(folder.inbox) == [other])
            // Called as an image is, the stem means that image.
            try drop("seed: 8", folder.inbox.appending("cat.png.yaml"))
            try drop("image", folder.inbox.appending("cat.png.jpg"))
            let next = try #require(JobID("20260804-153012-346"))
            #expect(try protocols.claim.claim(component("cat.png.jpg"), as: next))
            #expect(try JobDirectory.open(folder.job(next).string).record.settings.seed == 0)
        }
    }

    @Test func `are one file too many in a folder with two of its own, and .yml does there too`() throws {
        try withState { folder, protocols, id in
            let holiday = folder.inbox.appending("holiday")
            try LocalFileSystem().makeDirectory(holiday)
            try drop("seed: 7", holiday.appending("dkp.yml"))
            try drop("image", holiday.appending("dkp.png"))
            #expect(try protocols.claim.claim(item("holiday/dkp.png"), as: id))
            #expect(try JobDirectory.open(folder.job(id).string).record.settings.seed == 7)
            #expect(try names(holiday) == ["dkp.yml"])
            try drop("seed: 8", holiday.appending("dkp.YAML"))
            try drop("image", holiday.appending("cat.png"))
            let next = try #require(JobID("20260804-153012-346"))
            #expect(try !protocols.claim.claim(item("holiday/cat.png"), as: next))
            #expect(try names(holiday) == ["cat.png", "dkp.YAML", "dkp.yml"] && names(folder.jobs) == [id.description])
        }
    }

    @Test(.tags(.slow), arguments: [["x.yml"], ["x.png.yaml", "x.png.yml"]])
    func `lose nothing when a claim ends anywhere`(sides: [String]) throws {
        var changes = 0
        var isComplete = false
        while !isComplete {
            try withMemoryDirectory { path in
                let folder = StateFolder(path)
                try folder.create(LocalFileSystem())
                for side in sides { try drop("seed: 7", folder.inbox.appending(side)) }
                try drop("image", folder.inbox.appending("x.png"))
                let dying = MortalFileSystem(changes: changes)
                let id = try #require(JobID("20260804-153012-345"))
                do { _ = try Protocols(folder, dying).claim.claim(component("x.png"), as: id) } catch
                    where dying.isDead
                {}
                isComplete = !dying.isDead

                let living = Protocols(folder, MortalFileSystem(changes: .max))
                _ = try living.recovery.run()
                if try names(folder.inbox).contains("x.png") {
                    #expect(try living.claim.claim(component("x.png"), as: id))
                }
                let found = try living.recovery.run()
                #expect(found.warnings == [] && found.jobs.map(\.id) == [id], "after \(changes) changes")
                #expect(try names(folder.jobs) == [id.description])
                let isClear = sides.count == 1
                #expect(try names(folder.inbox) == (isClear ? [] : sides))
                #expect(try JobPhase(of: folder.job(id), LocalFileSystem()) == (isClear ? .working : .rejecting))
                if isClear { #expect(try JobDirectory.open(folder.job(id).string).record.settings.seed == 7) }
            }
            changes += 1
            try #require(changes < 100)
        }
        #expect(changes > 8)
    }

    @Test func `are kept clear of by dkp submit`() throws {
        try withState { folder, protocols, id in
            let image = folder.root.appending("cat.png")
            try drop("image", image)
            try drop("seed: 9", folder.inbox.appending("cat.yml"))
            let place = try Submission(folder).submit(image.string, settings: "seed: 7")
            #expect(place.lastComponent?.string == "cat-2.png")
            #expect(try protocols.claim.claim(component("cat-2.png"), as: id))
            #expect(try JobDirectory.open(folder.job(id).string).record.settings.seed == 7)
            #expect(throws: RestorationError.self) {
                try Submission(folder).drop(image, as: "cat.png.filepart", settings: nil)
            }
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
