import Checkpointing
import Foundation
import HDF5
import Tensors
import TestSupport
import Testing

@Suite struct `Snapshot files` {
    @Test func `every type of dataset and attribute comes back bit for bit`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/state.h5"
            try SnapshotFile.write(exampleSnapshot(), to: path)
            let read = try SnapshotFile.read(from: path)
            #expect(read == exampleSnapshot())
            #expect(read.origin == path)
        }
    }

    @Test(arguments: 0..<40) func `random trees come back bit for bit`(trial: Int) throws {
        var random = RandomStream(seed: UInt64(trial), name: "snapshots")
        let snapshot = randomSnapshot(&random)
        let bytes = try SnapshotFile.encode(snapshot, name: "trial")
        #expect(try SnapshotFile.decode(bytes, name: "trial") == snapshot)
        #expect(try SnapshotFile.encode(snapshot, name: "again") == bytes, "the same snapshot gave other bytes")
    }

    @Test func `datasets of many chunks and long texts come back`() throws {
        var snapshot = Snapshot()
        let values = (0..<700_001).map { Float($0) }
        snapshot.set("line", Dataset(values))
        snapshot.set("wide", Dataset(shape: [1, 700_001], values: .float(values)))
        snapshot.setAttribute("long", String(repeating: "settings ", count: 30_000))
        for index in 0..<200 { snapshot.set("many/\(index)", Dataset([UInt64(index)])) }
        #expect(try SnapshotFile.decode(SnapshotFile.encode(snapshot, name: "large"), name: "large") == snapshot)
    }

    @Test func `every dataset with elements and axes carries Fletcher-32`() throws {
        let bytes = try SnapshotFile.encode(exampleSnapshot(), name: "example")
        let file = try HDF5File(image: bytes, name: "example")
        for (path, dataset) in exampleSnapshot().datasets where !dataset.shape.isEmpty && dataset.values.count > 0 {
            let description = try file.describe(path)
            #expect(description.hasFletcher32, "\(path)")
        }
        let format = try file.attribute("format")
        let version = try file.attribute("format_version")
        #expect(format == .string("dkp-checkpoint") && version == .int(1))
    }

    @Test func `a flip of any byte is damage`() throws {
        let bytes = try SnapshotFile.encode(exampleSnapshot(), name: "example")
        for position in stride(from: 0, to: bytes.count, by: 7) {
            var damaged = bytes
            damaged[position] ^= 1 << UInt8(position % 8)
            #expect { try SnapshotFile.decode(damaged, name: "flipped") } throws: { isCheckpointError(.damaged)($0) }
        }
    }

    @Test func `a truncated or extended file is damage`() throws {
        let bytes = try SnapshotFile.encode(exampleSnapshot(), name: "example")
        for eighth in 0..<8 {
            let part = Array(bytes.prefix(bytes.count * eighth / 8))
            #expect { try SnapshotFile.decode(part, name: "cut") } throws: { isCheckpointError(.damaged)($0) }
        }
        for less in [1, 47, 48, 49] {
            #expect { try SnapshotFile.decode(bytes.dropLast(less), name: "cut") } throws: {
                isCheckpointError(.damaged)($0)
            }
        }
        #expect { try SnapshotFile.decode(bytes + [0], name: "longer") } throws: { isCheckpointError(.damaged)($0) }
    }

    @Test func `values altered under an intact end mark are damage still`() throws {
        let bytes = try SnapshotFile.encode(exampleSnapshot(), name: "example")
        let attribute = Array("dip-dkp".utf8)
        let dataset = [UInt64.max, 0].flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        for needle in [attribute, [0, 127, 128, 255], dataset] {
            let starts = bytes.indices.dropLast(needle.count).filter { bytes[$0...].starts(with: needle) }
            #expect(!starts.isEmpty)
            for start in starts.suffix(1) {
                var altered = Array(bytes.dropLast(48))
                altered[start] ^= 2
                try SnapshotFile.seal(&altered)
                #expect { try SnapshotFile.decode(altered, name: "altered") } throws: {
                    isCheckpointError(.damaged)($0)
                }
            }
        }
    }

    @Test func `a file can be looked into, a damaged one is refused first`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/state.h5"
            try SnapshotFile.write(exampleSnapshot(), to: path)
            let text = try SnapshotFile.tree(of: path).text()
            #expect(
                text.contains("@format = \"dkp-checkpoint\"") && text.contains("parameters  float32 [2 x 3] fletcher32")
            )
            #expect(try SnapshotFile.tree(of: GoldenNumbers.dip.path).children.isEmpty == false)

            var bytes = try SnapshotFile.encode(exampleSnapshot(), name: path)
            bytes[1000] ^= 1
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            #expect { try SnapshotFile.tree(of: path) } throws: { isCheckpointError(.damaged)($0) }
        }
    }

    @Test func `another format and a newer version are refused with a clear message`() throws {
        let newer = try SnapshotFile.encode(exampleSnapshot(), name: "new", version: 2)
        #expect {
            try SnapshotFile.decode(newer, name: "new.h5")
        } throws: {
            isCheckpointError(.newerVersion)($0) && "\($0)".contains("new.h5") && "\($0)".contains("version 2")
                && "\($0)".contains("up to 1")
        }
        #expect(try SnapshotFile.decode(newer, name: "new", version: 3) == exampleSnapshot())
        let result = try SnapshotFile.encode(exampleSnapshot(), name: "result", format: "dkp-result")
        #expect { try SnapshotFile.decode(result, name: "result") } throws: { isCheckpointError(.wrongFormat)($0) }
        #expect { try SnapshotFile.read(from: GoldenNumbers.dip.path) } throws: { isCheckpointError(.damaged)($0) }
    }

    @Test func `a file that is not there is not damage`() {
        #expect { try SnapshotFile.read(from: "/nowhere/at/all.h5") } throws: { isCheckpointError(.notFound)($0) }
    }

    @Test(arguments: ["a/../b", "", "./a", "input/inside", "nul\0"])
    func `a path that no file can hold is refused`(path: String) {
        var snapshot = exampleSnapshot()
        snapshot.set(path, Dataset([1] as [Float]))
        #expect { try SnapshotFile.encode(snapshot, name: "bad") } throws: { isCheckpointError(.invalidPath)($0) }
    }

    @Test(arguments: ["format", "format_version", "content_sha256", "input/inside/name", "nul\0"])
    func `an attribute that no file can hold is refused`(path: String) {
        var snapshot = exampleSnapshot()
        snapshot.setAttribute(path, 1)
        #expect { try SnapshotFile.encode(snapshot, name: "bad") } throws: { isCheckpointError(.invalidPath)($0) }
    }

    @Test func `a text with a NUL character is refused`() {
        var snapshot = Snapshot()
        snapshot.setAttribute("text", "a\0b")
        #expect { try SnapshotFile.encode(snapshot, name: "bad") } throws: { isCheckpointError(.invalidPath)($0) }
    }
}
