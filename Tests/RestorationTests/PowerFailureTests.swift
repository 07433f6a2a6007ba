import Failures
import Files
import Foundation
import Imaging
import Jobs
import Restoration
import Synchronization
import TestSupport
import Testing

/// The power fails after each single call that changes a file, and takes what was not synchronised; then everything is
/// done again as one would.
@Suite(.tags(.slow)) struct `Jobs after a power failure` {
    private static let settings = toySettings(steps: 3)

    /// The restored image of the job that all of this is about.
    private func expected() throws -> [UInt8] {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory, settings: Self.settings)
            #expect(try toyWorker(job).run() == .finished)
            return try bytes("\(job.resultPath)/restored.png")
        }
    }

    private func makePicture(_ directory: String) throws { try picture().writePNG(to: "\(directory)/x.png") }

    private func create(in parent: String) throws -> JobDirectory {
        try JobDirectory.create(
            in: parent, input: "\(parent)/x.png", settings: Self.settings, name: "job", originalName: "picture.png")
    }

    @Test(arguments: PowerLoss.all)
    func `are made whole or not at all, and leave the image that they have a copy of alone`(_ loss: PowerLoss) throws {
        try DiskRecording.withFolder(prepare: makePicture) { disk in
            let whole = try bytes("\(disk.root)/x.png")
            try disk.run {
                _ = try create(in: disk.root)
                disk.mark("created")
            }
            try disk.afterEachFailure(loss) { failure in
                _ = try JobDirectory.recoverUnfinished(in: disk.root)
                let isMade = LocalFileSystem().exists("\(disk.root)/job")
                #expect(isMade || failure.reported.isEmpty, "\(failure)")
                #expect((try? bytes("\(disk.root)/x.png")) == whole, "\(failure)")
                if isMade {
                    #expect(try bytes(try JobDirectory.open("\(disk.root)/job").inputPath) == whole, "\(failure)")
                }
                let names = try LocalFileSystem().names(in: disk.root)
                #expect(names.allSatisfy { !$0.hasPrefix(".") }, "\(failure)")
            }
        }
    }

    /// Runs `body` with a job that has long been on the disk.
    private func withJob(_ body: (DiskRecording, JobDirectory) throws -> Void) throws {
        try DiskRecording.withFolder { folder in
            try makePicture(folder)
            _ = try create(in: folder)
        } _: { disk in
            try body(disk, try JobDirectory.open("\(disk.root)/job"))
        }
    }

    @Test(arguments: PowerLoss.few)
    func `go on from the last reported checkpoint and come to the same result`(_ loss: PowerLoss) throws {
        let expected = try expected()
        try withJob { disk, job in
            try disk.run {
                for _ in 1...2 {
                    let stop = StopRequest()
                    let outcome = try toyWorker(job, stop: stop) { _ in stop.request() }.run()
                    guard case .interrupted(let step) = outcome else { continue }
                    disk.mark("\(step)")
                }
                #expect(try toyWorker(job).run() == .finished)
                disk.mark("finished")
            }
            try disk.afterEachFailure(loss) { failure in
                let job = try JobDirectory.open("\(disk.root)/job")
                #expect(job.isFinished || failure.reported.last != "finished", "\(failure)")
                let reported = failure.reported.compactMap { Int($0) }.last ?? 0
                let steps = Mutex<[Int]>([])
                #expect(
                    try toyWorker(job) { step in steps.withLock { $0.append(step) } }.run() == .finished, "\(failure)")
                #expect(steps.withLock { $0.first ?? 3 } >= reported, "\(failure)")
                #expect(try bytes("\(job.resultPath)/restored.png") == expected, "\(failure)")
                for name in ["kernel.png", "figure.png", "result.h5", "input.png", "report.json"] {
                    #expect(try !bytes("\(job.resultPath)/\(name)").isEmpty, "\(name): \(failure)")
                }
                _ = try Report.read("\(job.resultPath)/report.json")
            }
        }
    }

    @Test(arguments: PowerLoss.few)
    func `tell why they failed, once that was reported`(_ loss: PowerLoss) throws {
        try withJob { disk, job in
            try disk.run {
                _ = try #require(throws: FailureReport.self) {
                    try toyWorker(job) { _ in throw ToyProcess.Broken() }.run()
                }
                disk.mark("failed")
            }
            try disk.afterEachFailure(loss) { (failure) throws in
                let bytes = try? LocalFileSystem().contents(of: job.errorPath)
                #expect(bytes != nil || failure.reported.isEmpty, "\(failure)")
                let report = bytes.flatMap { try? JSONDecoder().decode(FailureReport.self, from: Data($0)) }
                #expect((report == nil) == (bytes == nil), "\(failure)")
                #expect(try toyWorker(job).run() == .finished, "\(failure)")
            }
        }
    }

    @Test(arguments: PowerLoss.all)
    func `can be taken by the next lease`(_ loss: PowerLoss) throws {
        try DiskRecording.withFolder { disk in
            try disk.run { () throws in
                for number in 1...3 {
                    #expect(try JobLease.take(disk.root).number == number)
                    disk.mark("\(number)")
                }
            }
            try disk.afterEachFailure(loss) { (failure) throws in
                let next = try JobLease.take(disk.root)
                #expect(next.number > (failure.reported.last.flatMap { Int($0) } ?? 0) && next.isCurrent, "\(failure)")
            }
        }
    }

    /// Restores in the foreground, as often as there is something left to do.
    private func restore(_ folder: String, seed: UInt64, force: Bool) throws {
        let settings = toySettings(steps: 3, seed: seed)
        let (input, output) = ("\(folder)/x.png", "\(folder)/output")
        if try ForegroundJob.finishedReport(input: input, output: output, settings: settings) != nil { return }
        let job = try ForegroundJob(input: input, output: output, settings: settings, force: force)
        #expect(try toyWorker(job.job).run() == .finished)
        _ = try job.publish()
    }

    @Test(arguments: PowerLoss.few, [false, true])
    func `in the foreground are finished by the same command, and stay once that was reported`(
        _ loss: PowerLoss, _ isReplacing: Bool
    ) throws {
        let names = [
            "restored.png", "kernel.png", "figure.png", "result.h5", "input.png", "job.log", "report.json",
        ]
        try DiskRecording.withFolder { folder in
            try makePicture(folder)
            if isReplacing { try restore(folder, seed: 4, force: false) }
        } _: { disk in
            let output = "\(disk.root)/output"
            try disk.run {
                try restore(disk.root, seed: 5, force: isReplacing)
                disk.mark("restored")
            }
            let expected = try bytes("\(output)/restored.png")
            try disk.afterEachFailure(loss) { failure in
                if !failure.reported.isEmpty {
                    #expect((try? bytes("\(output)/restored.png")) == expected, "\(failure)")
                }
                // Where a report is, what is beside it belongs to it.
                if let report = try? Report.read("\(output)/report.json"), report.seed == 5 {
                    #expect((try? bytes("\(output)/restored.png")) == expected, "\(failure)")
                }
                try restore(disk.root, seed: 5, force: true)
                #expect(try bytes("\(output)/restored.png") == expected, "\(failure)")
                // What is left of the job is nobody's, and goes with the next one.
                let found = try LocalFileSystem().names(in: output).filter { $0 != ".job-discarded" }
                #expect(found == names.sorted(), "\(failure)")
            }
        }
    }
}
