import Checkpointing
import HDF5
import Tensors
import Testing

@Suite struct `Snapshots in memory` {
    @Test func `outer and doubled slashes do not count in a path`() throws {
        var snapshot = Snapshot()
        snapshot.set("/dip//adam_m/", Dataset([1, 2] as [Float]))
        #expect(try snapshot.floats("dip/adam_m") == [1, 2])
        #expect(snapshot.contains("dip") && snapshot.contains("/dip/adam_m") && !snapshot.contains("di"))
    }

    @Test func `what is missing, of another type or of another size is told apart and named`() {
        let snapshot = exampleSnapshot()
        #expect(throws: CheckpointError(.missing, "snapshot: no dataset nothing")) { try snapshot.floats("nothing") }
        #expect(throws: CheckpointError(.missing, "snapshot: no attribute nothing")) { try snapshot.int("nothing") }
        #expect { try snapshot.floats("network/adam_m") } throws: { isCheckpointError(.wrongType)($0) }
        #expect { try snapshot.doubles("network/adam_m", count: 4) } throws: { isCheckpointError(.wrongShape)($0) }
        #expect { try snapshot.tensor("network/parameters", shape: [3, 2]) } throws: {
            isCheckpointError(.wrongShape)($0) && "\($0)".contains("[2, 3]") && "\($0)".contains("[3, 2]")
        }
        #expect { try snapshot.int("settings") } throws: { isCheckpointError(.wrongType)($0) }
    }

    @Test func `numbers are read as whatever they fit`() throws {
        let snapshot = exampleSnapshot()
        #expect(try snapshot.int("step") == 417)
        #expect(try snapshot.double("step") == 417)
        #expect(try snapshot.unsigned("step") == 417)
        #expect { try snapshot.int("random/noise/key") } throws: { isCheckpointError(.wrongType)($0) }
    }

    @Test func `a restored random stream goes on with the next number`() throws {
        var stream = RandomStream(seed: 3, name: "noise")
        for _ in 0..<7 { _ = stream.nextWord() }
        var snapshot = Snapshot()
        snapshot.set(stream, as: "random/noise")
        var restored = try snapshot.stream("random/noise")
        #expect((0..<9).map { _ in restored.nextWord() } == (0..<9).map { _ in stream.nextWord() })
    }

    @Test func `equality is that of the bits`() {
        #expect(Dataset([Float.nan]) == Dataset([Float.nan]))
        #expect(Dataset([0.0 as Float]) != Dataset([-0.0 as Float]))
        #expect(Dataset([] as [Float]) != Dataset([] as [Double]))
        #expect(AttributeValue.double(.nan) == .double(.nan))
        #expect(AttributeValue.int(1) != .unsigned(1))
    }
}
