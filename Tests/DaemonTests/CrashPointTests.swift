import Daemon
import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Every protocol on the state folder, ended at each single change that it makes, then started again.
@Suite(.tags(.slow)) struct `Crash points` {
    let id = JobID("20260804-153012-345")
    let settings = "scale: 2\nseed: 7\n"

    @Test func `a claim ended anywhere leaves one whole job with its settings`() throws {
        try sweep { folder, files, id in
            try drop("image", folder.inbox.appending("cat.png"))
            try drop(settings, folder.inbox.appending("cat.png.yaml"))
            return { _ = try Protocols(folder, files).claim.claim(component("cat.png"), as: id) }
        } check: { (folder) throws in
            try folder.expectOneJob(of: "cat.png")
            #expect(try names(folder.inbox) == [])
        }
    }

    @Test func `a claim with unusable settings ended anywhere is rejected once`() throws {
        try sweep { folder, files, id in
            try drop("image", folder.inbox.appending("cat.png"))
            try drop("scael: 2\n", folder.inbox.appending("cat.png.yaml"))
            return { _ = try Protocols(folder, files).claim.claim(component("cat.png"), as: id) }
        } check: { (folder) throws in
            try folder.expectRejectedSettings()
        }
    }

    @Test func `a publication ended anywhere publishes once`() throws {
        try sweep { folder, files, id in
            try makeFinishedJob(folder, id)
            return { _ = try Protocols(folder, files).publication.publish(id, name: "cat.png") }
        } check: { (folder) throws in
            try folder.expectOneResult()
        }
    }

    @Test func `a rejection ended anywhere rejects once`() throws {
        let report = RejectionReport(
            job: "20260804-153012-345", name: "cat.png", code: "bad_input", message: "no PNG", attempts: [])
        try sweep { folder, files, id in
            try makeFinishedJob(folder, id)
            try LocalFileSystem().removeTree(folder.job(id).appending("result"))
            return { _ = try Protocols(folder, files).publication.reject(id, report: report) }
        } goOn: { folder, files, id in
            // The worker would be run again, and refuse again.
            _ = try Protocols(folder, files).publication.reject(id, report: report)
        } check: { (folder) throws in
            try folder.expectOneRejection()
        }
    }

    @Test func `a job directory that an earlier version made half is completed or begun again`() throws {
        for hasInput in [false, true] {
            try withTemporaryDirectory { path in
                let folder = StateFolder(FilePath(path))
                let living = MortalFileSystem(changes: .max)
                try folder.create(living)
                let id = try #require(id)
                // As a crash of one that made jobs beside its claims left it.
                try drop("image", folder.inbox.appending("cat.png"))
                #expect(try Protocols(folder, living).claim.claim(component("cat.png"), as: id))
                try living.rename(folder.job(id), to: folder.jobs.appending(".new-\(id)"))
                let dropped = folder.claim(id).appending("dropped")
                try living.makeDirectory(folder.claim(id))
                try living.makeDirectory(dropped)
                if !hasInput {
                    try living.rename(
                        folder.jobs.appending(".new-\(id)").appending("input.png"), to: dropped.appending("cat.png"))
                }

                let found = try Protocols(folder, living).recovery.run()

                #expect(found.warnings == [])
                #expect(found.jobs.map(\.id) == [id])
                #expect(found.jobs.map(\.ledger.name) == ["cat.png"])
                #expect(try names(folder.jobs) == [id.description])
                #expect(try text(folder.job(id).appending("input.png")) == "image")
            }
        }
    }

    /// Ends `start`'s action after 0, 1, 2, ... changes, ends the recovery after it likewise, and then lets a third
    /// process finish; `check` must find the same each time.
    private func sweep(
        start: (StateFolder, MortalFileSystem, JobID) throws -> () throws -> Void,
        goOn: (StateFolder, MortalFileSystem, JobID) throws -> Void = { _, _, _ in },
        check: (StateFolder) throws -> Void
    ) throws {
        let id = try #require(id)
        var first = 0
        var isComplete = false
        while !isComplete {
            var second = 0
            var isRecoveryComplete = false
            while !isRecoveryComplete {
                try withMemoryDirectory { path in
                    let folder = StateFolder(path)
                    try folder.create(LocalFileSystem())
                    let dying = MortalFileSystem(changes: first)
                    let action = try start(folder, dying, id)
                    do { try action() } catch  where dying.isDead {}
                    isComplete = !dying.isDead

                    let dyingToo = MortalFileSystem(changes: second)
                    do { try restart(folder, dyingToo, goOn) } catch  where dyingToo.isDead {}
                    isRecoveryComplete = !dyingToo.isDead

                    try restart(folder, MortalFileSystem(changes: .max), goOn)
                    try check(folder)
                }
                second += 1
            }
            first += 1
            try #require(first < 200)
        }
        #expect(first > 3)
    }

    /// What a daemon does when it starts: recovers, takes each job as far as it goes without a worker, and claims what
    /// is in the inbox.
    private func restart(
        _ folder: StateFolder, _ files: MortalFileSystem, _ goOn: (StateFolder, MortalFileSystem, JobID) throws -> Void
    ) throws {
        let protocols = Protocols(folder, files)
        let found = try protocols.recovery.run()
        var identifiers = JobIDGenerator(after: found.jobs.map(\.id))
        func takeTurn(_ id: JobID, _ name: String) throws {
            switch try JobPhase(of: folder.job(id), files) {
            case .working: try goOn(folder, files, id)
            case .publishing: _ = try protocols.publication.publish(id, name: name)
            case .rejecting: _ = try protocols.publication.completeRejection(id, name: name)
            case .finished: try protocols.publication.retire(id)
            }
        }
        for job in found.jobs { try takeTurn(job.id, job.ledger.name) }
        for name in try files.entries(folder.inbox) where InboxRules.kind(of: name) == .work {
            let id = identifiers.next(now: 1_800_000_000_000)
            if try protocols.claim.claim(name, as: id) { try takeTurn(id, name.string) }
        }
        // A recovery that met its own death in a step that it goes on after must not count as complete.
        _ = try files.status(folder.root)
    }

    private func makeFinishedJob(_ folder: StateFolder, _ id: JobID) throws {
        let living = MortalFileSystem(changes: .max)
        try drop("image", folder.inbox.appending("cat.png"))
        _ = try Protocols(folder, living).claim.claim(component("cat.png"), as: id)
        let job = folder.job(id)
        try drop("log", job.appending("job.log"))
        try drop("state", job.appending("checkpoint-00000100.h5"))
        try living.makeDirectory(job.appending("lease-3"))
        try drop("half", job.appending("lease-3").appending(".checkpoint"))
        try living.makeDirectory(job.appending("result"))
        try drop("restored", job.appending("result").appending("restored.png"))
        try drop("{}", job.appending("result").appending("report.json"))
    }
}
