import Checkpointing
import Foundation
import TestSupport
import Testing

@Suite struct `Checkpoint generations` {
    @Test func `an empty directory has no latest checkpoint`() throws {
        try withTemporaryDirectory { directory in
            let latest = try CheckpointStore(directory: directory).latest()
            #expect(latest == nil)
        }
    }

    @Test func `the two newest generations are kept and the newest is read`() throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory)
            for step in [0, 9, 10, 200] { try store.save(state(step), step: step) }
            #expect(try names(directory) == ["checkpoint-0000000010.h5", "checkpoint-0000000200.h5"])
            let latest = try #require(try store.latest())
            #expect(latest.snapshot == state(200))
            #expect(latest.path == directory + "/checkpoint-0000000200.h5")
            #expect(latest.warnings.isEmpty)
        }
    }

    @Test(arguments: 0..<8)
    func `a truncated newest generation falls back with a warning`(eighth: Int) throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory)
            try store.save(state(1), step: 1)
            let newest = try store.save(state(2), step: 2)
            try damage(newest) { $0.removeLast($0.count - $0.count * eighth / 8) }
            let latest = try #require(try store.latest())
            #expect(latest.snapshot == state(1))
            #expect(latest.warnings.count == 1)
            #expect(latest.warnings.first?.contains(newest) == true)
        }
    }

    @Test(arguments: ["FIFO", "directory", "dangling link", "sparse"])
    func `what is no regular file, or could not be one of ours, is passed over`(_ kind: String) throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory, staging: directory + "/staging")
            try FileManager.default.createDirectory(atPath: directory + "/staging", withIntermediateDirectories: true)
            try store.save(state(1), step: 1)
            for step in [7, 8] {
                let odd = directory + "/checkpoint-000000000\(step).h5"
                switch kind {
                case "FIFO": try #require(mkfifo(odd, 0o666) == 0)
                case "directory":
                    try FileManager.default.createDirectory(
                        atPath: odd + "/x", withIntermediateDirectories: true)
                case "sparse":
                    try Data().write(to: URL(fileURLWithPath: odd))
                    try #require(truncate(odd, 1 << 42) == 0)
                default: try FileManager.default.createSymbolicLink(atPath: odd, withDestinationPath: "/nowhere")
                }
            }
            let latest = try #require(try store.latest())
            #expect(latest.snapshot == state(1) && latest.warnings.count == 2)
            // And they go, as other generations of a run that was not continued do.
            try store.save(state(3), step: 3)
            #expect(try store.generations().map(\.step) == [3, 1])
            #expect(throws: CheckpointError.self) { try SnapshotFile.tree(of: directory) }
        }
    }

    @Test func `a run that fell back replaces the damaged generation and keeps the good one`() throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory)
            try store.save(state(10), step: 10)
            try damage(try store.save(state(20), step: 20)) { $0[$0.count / 2] ^= 1 }
            try store.save(state(15), step: 15)
            #expect(try store.generations().map(\.step) == [15, 10])
        }
    }

    @Test func `no intact generation at all is an error that tells what to do`() throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory)
            for step in 1...2 { try damage(try store.save(state(step), step: step)) { $0[5] ^= 4 } }
            #expect {
                try store.latest()
            } throws: { error in
                isCheckpointError(.damaged)(error) && "\(error)".contains("start from the beginning")
            }
        }
    }

    @Test func `a newer program's checkpoint is no damage to fall back from`() throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory)
            try store.save(state(1), step: 1)
            try SnapshotFile.write(state(2), to: directory + "/checkpoint-0000000002.h5", version: 2)
            #expect { try store.latest() } throws: { isCheckpointError(.newerVersion)($0) }
        }
    }

    @Test func `what a killed writer left is removed, other files are not`() throws {
        try withTemporaryDirectory { directory in
            let store = CheckpointStore(directory: directory)
            try store.save(state(1), step: 1)
            let others = [".progress.json.5-6.dkp-tmp", "checkpoint-x.h5", "checkpoint-.h5", "input.png"]
            for name in [".checkpoint-0000000002.h5.1-2.dkp-tmp"] + others {
                try Data([1, 2, 3]).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
            }
            #expect(try store.latest()?.snapshot == state(1))
            #expect(try names(directory) == (others + ["checkpoint-0000000001.h5"]).sorted())
            try store.removeAll()
            #expect(try names(directory) == others.sorted())
        }
    }

    @Test func `a directory that is gone is an error`() {
        #expect { try CheckpointStore(directory: "/nowhere/at/all").latest() } throws: {
            isCheckpointError(.notFound)($0)
        }
    }

    private func state(_ step: Int) -> Snapshot {
        var snapshot = exampleSnapshot()
        snapshot.setAttribute("step", step)
        return snapshot
    }

    private func names(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    private func damage(_ path: String, _ change: (inout Data) -> Void) throws {
        let url = URL(fileURLWithPath: path)
        var bytes = try Data(contentsOf: url)
        change(&bytes)
        try bytes.write(to: url)
    }
}
