import Foundation
import HDF5
import TestSupport
import Testing

@Suite struct `Writing HDF5` {
    @Test func `every scalar type comes back as itself`() throws {
        let image = try HDF5File.image(name: "types") { file throws(HDF5Error) in
            try file.write([1.5, -0.0, .infinity] as [Float], shape: [3], at: "f32")
            try file.write([0.1, .greatestFiniteMagnitude] as [Double], shape: [2, 1], at: "deep/er/f64")
            try file.write([Int64.min, .max], shape: [2], at: "i64")
            try file.write([UInt64.max], shape: [], at: "u64")
            try file.write([0, 255] as [UInt8], shape: [2], at: "u8")
        }
        let file = try HDF5File(image: image, name: "types")
        let floats = try file.readFloats("f32")
        #expect(
            floats.shape == [3] && floats.values.map(\.bitPattern) == [1.5, -0.0, .infinity].map(\Float.bitPattern))
        let doubles = try file.readDoubles("deep/er/f64")
        #expect(doubles.shape == [2, 1] && doubles.values == [0.1, .greatestFiniteMagnitude])
        #expect(try file.readInt64s("i64").values == [.min, .max])
        let scalar = try file.readUInt64s("u64")
        #expect(scalar.shape == [] && scalar.values == [.max])
        #expect(try file.readBytes("u8").values == [0, 255])
        #expect(try file.children() == ["deep", "f32", "i64", "u64", "u8"])
    }

    @Test func `half precision and bfloat16 read as single precision`() throws {
        let image = try HDF5File.image(name: "weights") { file throws(HDF5Error) in
            try file.write([1, -2.5, 65504, 0x1p-24] as [Float16], shape: [4], at: "half")
            try file.write([0x3F80, 0xC020, 0x7F80] as [UInt16], shape: [3], at: "brain")
            try file.setAttribute("dtype", .string("bfloat16"), of: "brain")
            try file.write([0x3F80] as [UInt16], shape: [1], at: "plain")
        }
        let file = try HDF5File(image: image, name: "weights")
        #expect(try file.readFloats("half").values == [1, -2.5, 65504, 0x1p-24])
        #expect(try file.readFloats("brain").values == [1, -2.5, .infinity])
        #expect(try file.readFloats("plain").values == [16256])
        #expect(try file.describe("brain").elementType == .bfloat16)
    }

    @Test func `an integer that does not fit is an error, never clipped`() throws {
        let image = try HDF5File.image(name: "integers") { file throws(HDF5Error) in
            try file.write([UInt64.max], shape: [1], at: "large")
            try file.write([-1 as Int64], shape: [1], at: "negative")
        }
        let file = try HDF5File(image: image, name: "integers")
        #expect { try file.readInt64s("large") } throws: { isHDF5Error(.wrongType)($0) }
        #expect { try file.readUInt64s("negative") } throws: { isHDF5Error(.wrongType)($0) }
        #expect { try file.readBytes("negative") } throws: { isHDF5Error(.wrongType)($0) }
    }

    @Test(arguments: [[1], [262_144], [262_145], [3, 100_000], [1, 1, 1_000_003], [7, 11, 13, 17], [600, 500]])
    func `chunks stay within their limit and cover any shape`(shape: [Int]) throws {
        let values = (0..<shape.reduce(1, *)).map { Float($0) }
        let image = try HDF5File.image(name: "chunks") { file throws(HDF5Error) in
            try file.write(values, shape: shape, at: "data")
        }
        let file = try HDF5File(image: image, name: "chunks")
        let description = try file.describe("data")
        let chunk = try #require(description.chunkShape)
        #expect(chunk.reduce(4, *) <= 1 << 20)
        #expect(description.hasFletcher32 && !description.isCompressed && description.shape == shape)
        let read = try file.readFloats("data")
        #expect(read.values == values)
    }

    @Test func `locks of others hold up neither writing nor reading`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/file.h5"
            try Data().write(to: URL(fileURLWithPath: path))
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            defer { close(descriptor) }
            try #require(descriptor >= 0 && flock(descriptor, LOCK_EX) == 0)
            do {
                let file = try HDF5File(creating: path)
                try file.createGroup("a")
                try file.flush()
            }
            #expect(try HDF5File(reading: path).children() == ["a"])
        }
    }

    @Test func `a file written to a path is read back`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/file.h5"
            do {
                let file = try HDF5File(creating: path)
                try file.createGroup("a/b")
                try file.createGroup("a/b/c")
                try file.setAttribute("name", .string("Grüße"), of: "a/b")
                try file.flush()
            }
            let file = try HDF5File(reading: path)
            #expect(try file.children(of: "a/b") == ["c"])
            #expect(try file.attribute("name", of: "a/b") == .string("Grüße"))
        }
    }

    @Test func `what cannot be written is an error with the library's reason`() throws {
        _ = try HDF5File.image(name: "errors") { file throws(HDF5Error) in
            try file.write([1] as [Float], shape: [1], at: "once")
            expectError(.writeFailed) { () throws(HDF5Error) in try file.write([1] as [Float], shape: [1], at: "once") }
            expectError(.writeFailed) { () throws(HDF5Error) in
                try file.write([1] as [Float], shape: [1], at: "once/in")
            }
            expectError(.invalidArgument) { () throws(HDF5Error) in
                try file.write([1] as [Float], shape: [2], at: "two")
            }
            expectError(.invalidArgument) { () throws(HDF5Error) in try file.write([1] as [Float], shape: [1], at: "/")
            }
            expectError(.invalidArgument) { () throws(HDF5Error) in try file.setAttribute("", .int(1)) }
            expectError(.notFound) { () throws(HDF5Error) in try file.setAttribute("a", .int(1), of: "none") }
        }
        #expect { _ = try HDF5File(creating: "/nowhere/at/all.h5") } throws: { error in
            isHDF5Error(.cannotOpen)(error) && "\(error)".contains("No such file")
        }
    }

    private func expectError(_ code: HDF5Error.Code, _ body: () throws(HDF5Error) -> Void) {
        do throws(HDF5Error) {
            try body()
            Issue.record("no error, expected \(code)")
        } catch {
            #expect(error.code == code, "\(error)")
        }
    }

    @Test func `threads take turns, and handles may close anywhere`() async throws {
        let image = try HDF5File.image(name: "shared") { file throws(HDF5Error) in
            try file.write((0..<1000).map { Float($0) }, shape: [1000], at: "data")
        }
        try await withThrowingTaskGroup(of: Float.self) { group in
            for task in 0..<8 {
                group.addTask {
                    var sum: Float = 0
                    for _ in 0..<10 {
                        let file = try HDF5File(image: image, name: "task \(task)")
                        sum += try file.readFloats("data").values.reduce(0, +)
                        _ = file.contains("nothing")
                    }
                    return sum
                }
            }
            for try await sum in group { #expect(sum == 4_995_000) }
        }
    }

    @Test func `a tree shows shapes, types and attributes with long texts cut`() throws {
        let image = try HDF5File.image(name: "tree") { file throws(HDF5Error) in
            try file.setAttribute("config", .string(String(repeating: "x", count: 500)))
            try file.write([1, 2] as [Float], shape: [1, 2], at: "state_dict/out.2.weight")
            try file.setAttribute("scale", .ints([1, 2]), of: "state_dict")
        }
        let tree = try HDF5File(image: image, name: "tree").tree()
        #expect(
            tree.text(longestText: 10) == """
                /
                  @config = "xxxxxxxxxx... (500 characters)"
                  state_dict/
                    @scale = [1, 2]
                    out.2.weight  float32 [1 x 2] fletcher32
                """)
        #expect(try GoldenNumbers.dip.open().tree().children.count == GoldenNumbers.dip.children(of: "/").count)
    }
}
