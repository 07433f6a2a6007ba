import Daemon
import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

/// The operator's commands, ended at each single change that they make, then given again.
@Suite(.tags(.slow)) struct `Crash points of the operator's commands` {
    private static let changes = [(key: "seed", value: "9")]

    @Test(arguments: [false, true])
    func `a retry ended anywhere puts the image back once, with its settings`(_ hasOldLeftover: Bool) throws {
        try sweep { folder in
            try makeRejection(folder)
            if hasOldLeftover { try drop("scale: 2\n", folder.rejected.appending("cat/original.png.yaml")) }
        } action: { (folder, files) throws in
            try retry(folder, files)
        } check: { (folder) throws in
            #expect(try names(folder.rejected) == [])
            try expectPair(folder, "cat.png", image: "image")
        }
    }

    @Test func `of an image that comes in between, a retry ended anywhere changes no setting`() throws {
        try sweep { folder in
            try makeRejection(folder)
        } action: { (folder, files) throws in
            try retry(folder, files)
        } between: { (folder) throws in
            let place = folder.inbox.appending("cat.png")
            guard try LocalFileSystem().status(place) == nil else { return }
            try drop("another", place)
            let id = try #require(JobID("20260101-000000-002"))
            _ = try Protocols(folder, MortalFileSystem(changes: .max)).claim.claim(component("cat.png"), as: id)
            #expect(try text(folder.job(id).appending("input.png")) == "another")
            #expect(try text(folder.job(id).appending("job.json")).contains("\"seed\" : 0"))
        } check: { (folder) throws in
            #expect(try names(folder.rejected) == [])
            try expectPair(folder, "cat.png", image: "image")
        }
    }

    @Test func `a retry without settings ended anywhere puts the image back once`() throws {
        try sweep { folder in
            try makeRejection(folder)
        } action: { (folder, files) throws in
            try retry(folder, files, changes: [], keepsSettings: false)
        } check: { (folder) throws in
            #expect(try names(folder.rejected) == [])
            #expect(try names(folder.inbox) == ["cat.png"])
            #expect(try text(folder.inbox.appending("cat.png")) == "image")
        }
    }

    @Test func `a submission ended anywhere leaves the image whole with its settings, or nothing that is taken`() throws
    {
        try sweep { folder in
            try drop("image", folder.root.appending("cat.png"))
        } action: { (folder, files) throws in
            // What was put there already is not put there again, for the sake of the count.
            guard try !files.entries(folder.inbox).contains(component("cat.png")) else { return }
            _ = try Submission(folder, files: files).submit(
                folder.root.appending("cat.png").string, settings: "seed: 9\n")
        } between: { (folder) throws in
            _ = Leftovers(folder).remove()
            let left = try names(folder.inbox)
            #expect(left == [] || left == ["cat.png", "cat.png.yaml"])
        } check: { (folder) throws in
            try expectPair(folder, "cat.png", image: "image")
        }
    }

    /// Ends the action after 0, 1, 2, ... changes, another one after it likewise, and then lets a third one finish.
    private func sweep(
        prepare: (StateFolder) throws -> Void, action: (StateFolder, MortalFileSystem) throws -> Void,
        between: (StateFolder) throws -> Void = { _ in }, check: (StateFolder) throws -> Void
    ) throws {
        var first = 0
        var isComplete = false
        while !isComplete {
            var second = 0
            var isSecondComplete = false
            while !isSecondComplete {
                try withMemoryDirectory { path in
                    let folder = StateFolder(path)
                    try folder.create(LocalFileSystem())
                    try prepare(folder)
                    let dying = MortalFileSystem(changes: first)
                    do { try action(folder, dying) } catch  where dying.isDead {}
                    isComplete = !dying.isDead
                    try between(folder)
                    let dyingToo = MortalFileSystem(changes: second)
                    do { try action(folder, dyingToo) } catch  where dyingToo.isDead {}
                    isSecondComplete = !dyingToo.isDead
                    try action(folder, MortalFileSystem(changes: .max))
                    _ = Leftovers(folder).remove()
                    try check(folder)
                }
                second += 1
            }
            first += 1
            try #require(first < 100)
        }
        #expect(first > 2)
    }

    private func retry(
        _ folder: StateFolder, _ files: MortalFileSystem, changes: [(key: String, value: String)] = changes,
        keepsSettings: Bool = true
    ) throws {
        guard try !names(folder.rejected).isEmpty else { return }
        let found = try JobFinder(folder).find("cat", in: [.rejected])
        let outcome = try Retrial(folder, files: files).retry(found, changes: changes, keepsSettings: keepsSettings)
        #expect(outcome.left == [])
        // One that met its own death in a step that it goes on after must not count as complete.
        _ = try files.status(folder.root)
    }

    private func makeRejection(_ folder: StateFolder) throws {
        let id = try #require(JobID("20260101-000000-001"))
        let protocols = Protocols(folder, MortalFileSystem(changes: .max))
        try drop("image", folder.inbox.appending("cat.png"))
        _ = try protocols.claim.claim(component("cat.png"), as: id)
        let report = RejectionReport(
            job: id.description, name: "cat.png", code: "bad_input", message: "no PNG", attempts: [])
        _ = try protocols.publication.reject(id, report: report)
    }

    /// One image with settings is in the inbox, and the daemon takes both.
    private func expectPair(_ folder: StateFolder, _ name: String, image: String) throws {
        #expect(try names(folder.inbox) == [name, name + ".yaml"])
        let id = try #require(JobID("20260101-000000-009"))
        _ = try Protocols(folder, MortalFileSystem(changes: .max)).claim.claim(component(name), as: id)
        #expect(try text(folder.job(id).appending("input.png")) == image)
        #expect(try text(folder.job(id).appending("job.json")).contains("\"seed\" : 9"))
        #expect(try names(folder.inbox) == [])
    }
}
