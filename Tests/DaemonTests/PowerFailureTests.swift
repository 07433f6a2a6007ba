import Daemon
import Files
import Foundation
import Jobs
import SystemPackage
import TestSupport
import Testing

/// Every protocol on the state folder: the power fails after each single call that changes a file, and takes what was not
/// synchronised; then the daemon starts again, or the command is given again.
///
/// What its writer dropped into the inbox without synchronising it can be lost there: nobody has been told anything. From
/// the claim on it is the daemon's to keep: the claim synchronises it.
@Suite(.tags(.slow)) struct `Power failures` {
    private static let report = RejectionReport(
        job: "20260804-153012-345", name: "cat.png", code: "bad_input", message: "no PNG", attempts: [])

    private func id() throws -> JobID { try #require(JobID("20260804-153012-345")) }

    @Test(arguments: PowerLoss.all, ["cat.png", "animals/cat.png"])
    func `leave a claimed image in one job, with its settings`(_ loss: PowerLoss, _ name: String) throws {
        try sweep(loss) { folder in
            let image = folder.inbox.appending(FilePath(name).components)
            if name != "cat.png" {
                try LocalFileSystem().makeDirectory(image.removingLastComponent())
                try drop("method: dip-dkp\n", image.removingLastComponent().appending("dkp.yaml"))
            }
            try drop("image", image)
            try drop("scale: 2\nseed: 7\n", FilePath(image.string + ".yaml"))
        } action: { (folder) throws in
            #expect(try Protocols(folder).claim.claim(item(name), as: id()))
        } recover: { folder in
            try restart(folder)
        } check: { (folder, _) throws in
            try folder.expectOneJob(of: name)
            #expect(try names(folder.inbox).filter { $0 != "animals" } == [])
        }
    }

    @Test(arguments: PowerLoss.all)
    func `do not take an image that its writer did not synchronise once it is claimed`(_ loss: PowerLoss) throws {
        try sweep(loss) { _ in
        } action: { (folder) throws in
            try drop("image", folder.inbox.appending("cat.png"))
            #expect(try Protocols(folder).claim.claim(component("cat.png"), as: id()))
        } recover: { folder in
            try restart(folder)
        } check: { (folder, isReported) throws in
            let jobs = try names(folder.jobs)
            #expect(isReported ? jobs == ["20260804-153012-345"] : jobs.count < 2)
            for job in jobs where isReported {
                #expect(try text(folder.jobs.appending(job).appending("input.png")) == "image")
            }
        }
    }

    @Test(arguments: PowerLoss.all)
    func `leave an image with unusable settings in one rejection`(_ loss: PowerLoss) throws {
        try sweep(loss) { folder in
            try drop("image", folder.inbox.appending("cat.png"))
            try drop("scael: 2\n", folder.inbox.appending("cat.png.yaml"))
        } action: { (folder) throws in
            #expect(try Protocols(folder).claim.claim(component("cat.png"), as: id()))
            _ = try Protocols(folder).publication.completeRejection(id(), name: "cat.png")
        } recover: { folder in
            try restart(folder)
        } check: { (folder, _) throws in
            try folder.expectRejectedSettings()
            #expect(try names(folder.inbox) == [])
        }
    }

    @Test(arguments: PowerLoss.all)
    func `publish a result once`(_ loss: PowerLoss) throws {
        try sweep(loss) { folder in
            try makeJob(folder, isFinished: true)
        } action: { (folder) throws in
            _ = try Protocols(folder).publication.publish(id(), name: "cat.png")
        } recover: { folder in
            try restart(folder)
        } check: { (folder, _) throws in
            try folder.expectOneResult()
            #expect(try text(folder.outbox.appending("cat/job.log")) == "log")
        }
    }

    @Test(arguments: PowerLoss.all)
    func `reject an image once`(_ loss: PowerLoss) throws {
        try sweep(loss) { folder in
            try makeJob(folder, isFinished: false)
        } action: { (folder) throws in
            _ = try Protocols(folder).publication.reject(id(), report: Self.report)
        } recover: { folder in
            // The worker is run again where nothing of it is left, and refuses again.
            try restart(folder) { _ = try Protocols(folder).publication.reject($0, report: Self.report) }
        } check: { (folder, _) throws in
            try folder.expectOneRejection()
        }
    }

    @Test(arguments: PowerLoss.all)
    func `leave a job given up once that was asked for`(_ loss: PowerLoss) throws {
        try sweep(loss) { folder in
            try makeJob(folder, isFinished: false)
        } action: { (folder) throws in
            try Cancellation.request(id(), by: "somebody", in: folder, LocalFileSystem())
        } recover: { _ in
        } check: { (folder, isReported) throws in
            let requests = try names(folder.requests).filter { !$0.hasPrefix(".") }
            #expect(isReported ? requests == ["cancel-20260804-153012-345"] : requests.count < 2)
            for request in requests {
                #expect(try text(folder.requests.appending(request)) == "cancelled by somebody\n")
            }
        }
    }

    @Test(arguments: PowerLoss.all)
    func `give a job up once where no daemon is there`(_ loss: PowerLoss) throws {
        try sweep(loss) { folder in
            try makeJob(folder, isFinished: false)
        } action: { (folder) throws in
            #expect(try giveUp(folder) != nil)
        } recover: { folder in
            // Given again where the job is still there, as one would.
            if try LocalFileSystem().status(folder.job(id())) != nil { _ = try giveUp(folder) }
            try restart(folder)
        } check: { (folder, _) throws in
            try folder.expectOneRejection()
            #expect(try text(folder.rejected.appending("cat/error.json")).contains("cancelled by somebody"))
        }
    }

    private func giveUp(_ folder: StateFolder) throws -> FilePath? {
        try Cancellation.request(id(), by: "somebody", in: folder, LocalFileSystem())
        return try Cancellation.carryOut(id(), name: "cat.png", in: folder, LocalFileSystem())
    }

    @Test(arguments: PowerLoss.all)
    func `leave an image that is tried again in one place, with its settings`(_ loss: PowerLoss) throws {
        try sweep(loss) { folder in
            try makeJob(folder, isFinished: false)
            _ = try Protocols(folder).publication.reject(id(), report: Self.report)
        } action: { (folder) throws in
            try retry(folder)
        } recover: { folder in
            try retry(folder)
            _ = Leftovers(folder).remove()
        } check: { (folder, _) throws in
            #expect(try names(folder.rejected) == [])
            try expectPair(folder)
        }
    }

    private func retry(_ folder: StateFolder) throws {
        guard try !names(folder.rejected).isEmpty else { return }
        let found = try JobFinder(folder).find("cat", in: [.rejected])
        let outcome = try Retrial(folder).retry(found, changes: [(key: "seed", value: "9")], keepsSettings: true)
        #expect(outcome.left == [])
    }

    @Test(arguments: PowerLoss.all)
    func `leave a submitted image whole with its settings, or nothing that is taken`(_ loss: PowerLoss) throws {
        func submit(_ folder: StateFolder) throws {
            _ = try Submission(folder).submit(folder.root.appending("cat.png").string, settings: "seed: 9\n")
        }
        try sweep(loss) { folder in
            try drop("image", folder.root.appending("cat.png"))
        } action: { (folder) throws in
            try submit(folder)
        } recover: { folder in
            _ = Leftovers(folder).remove()
        } check: { (folder, isReported) throws in
            let left = try names(folder.inbox)
            #expect(left == ["cat.png", "cat.png.yaml"] || !isReported && left == [])
            if left == [] { try submit(folder) }
            try expectPair(folder)
        }
    }

    // MARK: The course of a test

    /// Does something, lets the power fail after each of its calls, and looks at what comes of it then.
    private func sweep(
        _ loss: PowerLoss, prepare: (StateFolder) throws -> Void, action: (StateFolder) throws -> Void,
        recover: (StateFolder) throws -> Void, check: (_ folder: StateFolder, _ isReported: Bool) throws -> Void
    ) throws {
        try DiskRecording.withFolder { path in
            let folder = StateFolder(FilePath(path))
            try folder.create(LocalFileSystem())
            try prepare(folder)
        } _: { disk in
            let folder = StateFolder(FilePath(disk.root))
            try disk.run {
                try action(folder)
                disk.mark("done")
            }
            var count = 0
            try disk.afterEachFailure(loss) { failure in
                count += 1
                do {
                    try recover(folder)
                    try check(folder, !failure.reported.isEmpty)
                } catch {
                    Issue.record("\(failure): \(error)")
                }
            }
            #expect(count > 1)
        }
    }

    /// What a daemon does when it starts: recovers, takes each job as far as it goes without a worker, and claims what
    /// is in the inbox.
    private func restart(_ folder: StateFolder, work: (JobID) throws -> Void = { _ in }) throws {
        let protocols = Protocols(folder)
        let files = LocalFileSystem()
        let found = try protocols.recovery.run()
        #expect(found.warnings == [])
        var identifiers = JobIDGenerator(after: found.jobs.map(\.id))
        func takeTurn(_ id: JobID, _ name: String) throws {
            switch try JobPhase(of: folder.job(id), files) {
            case .working: try work(id)
            case .publishing: _ = try protocols.publication.publish(id, name: name)
            case .rejecting: _ = try protocols.publication.completeRejection(id, name: name)
            case .finished: try protocols.publication.retire(id)
            }
        }
        for job in found.jobs { try takeTurn(job.id, job.ledger.name) }
        for place in [nil] + (try names(folder.inbox).contains("animals") ? ["animals"] : []) {
            let directory = place.map { folder.inbox.appending($0) } ?? folder.inbox
            for name in try files.entries(directory) where InboxRules.kind(of: name) == .work {
                let item = InboxItem(name, in: try place.map { try component($0) })
                guard try files.status(directory.appending(name))?.kind == .regular else { continue }
                let id = identifiers.next(now: 1_800_000_000_000)
                if try protocols.claim.claim(item, as: id) { try takeTurn(id, name.string) }
            }
        }
    }

    private func makeJob(_ folder: StateFolder, isFinished: Bool) throws {
        let files = LocalFileSystem()
        try drop("image", folder.inbox.appending("cat.png"))
        _ = try Protocols(folder).claim.claim(component("cat.png"), as: id())
        let job = folder.job(try id())
        try drop("log", job.appending("job.log"))
        try drop("state", job.appending("checkpoint-00000100.h5"))
        try files.makeDirectory(job.appending("lease-3"))
        try drop("half", job.appending("lease-3/.checkpoint"))
        guard isFinished else { return }
        try files.makeDirectory(job.appending("result"))
        try drop("restored", job.appending("result/restored.png"))
        try drop("{}", job.appending("result/report.json"))
    }

    /// One image with settings is in the inbox, and the daemon takes both.
    private func expectPair(_ folder: StateFolder) throws {
        #expect(try names(folder.inbox) == ["cat.png", "cat.png.yaml"])
        let id = try #require(JobID("20260804-153012-999"))
        _ = try Protocols(folder).claim.claim(component("cat.png"), as: id)
        #expect(try text(folder.job(id).appending("input.png")) == "image")
        #expect(try text(folder.job(id).appending("job.json")).contains("\"seed\" : 9"))
        #expect(try names(folder.inbox) == [])
    }
}

extension Protocols {
    /// The protocols as the daemon has them.
    fileprivate init(_ folder: StateFolder) {
        let files = LocalFileSystem()
        var defaults = RestorationSettings()
        defaults.method = .dipDKP
        let publication = Publication(folder, files: files)
        let claim = Claim(folder, files: files, defaults: defaults)
        self.init(
            claim: claim, publication: publication,
            recovery: Recovery(folder, files: files, claim: claim, publication: publication))
    }
}
