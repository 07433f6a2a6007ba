import Checkpointing
import Foundation
import TestSupport
import Testing

@Suite struct `Checkpoints after a power failure` {
    private func snapshot(_ step: Int) -> Snapshot {
        var snapshot = exampleSnapshot()
        snapshot.setAttribute("step", step)
        return snapshot
    }

    /// Saves four generations in two directories, as a worker and the one after it do.
    @Test(arguments: PowerLoss.all, [false, true])
    func `are whole, and no older than the one last reported`(_ loss: PowerLoss, _ isStaged: Bool) throws {
        try DiskRecording.withFolder { disk in
            try disk.run {
                for step in 1...4 {
                    let staging = isStaged ? "\(disk.root)/staging-\((step + 1) / 2)" : nil
                    if let staging, step % 2 == 1 {
                        try FileManager.default.createDirectory(atPath: staging, withIntermediateDirectories: false)
                    }
                    try CheckpointStore(directory: disk.root, staging: staging).save(snapshot(step), step: step)
                    disk.mark("\(step)")
                }
            }
            try disk.afterEachFailure(loss) { failure in
                let latest = try CheckpointStore(directory: disk.root).latest()
                let reported = failure.reported.last.flatMap { Int($0) } ?? 0
                let step = try latest.map { try $0.snapshot.int("step") } ?? 0
                #expect(reported...reported + 1 ~= step, "\(failure)")
                #expect(latest?.warnings ?? [] == [], "\(failure)")
                if let latest { #expect(latest.snapshot == snapshot(step), "\(failure)") }
            }
        }
    }

    /// A finished run removes all: what comes back of it must still be whole.
    @Test(arguments: PowerLoss.all)
    func `that were being removed are whole or gone`(_ loss: PowerLoss) throws {
        try DiskRecording.withFolder { folder in
            for step in 1...2 { try CheckpointStore(directory: folder).save(snapshot(step), step: step) }
        } _: { disk in
            try disk.run {
                try CheckpointStore(directory: disk.root).removeAll()
                disk.mark("removed")
            }
            try disk.afterEachFailure(loss) { failure in
                let latest = try CheckpointStore(directory: disk.root).latest()
                #expect(latest?.warnings ?? [] == [], "\(failure)")
                #expect(latest == nil || failure.reported.isEmpty, "\(failure)")
            }
        }
    }
}
