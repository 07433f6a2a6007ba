import HDF5
import Testing

@Suite struct `HDF5 types` {
    @Test(arguments: attributes.keys.sorted())
    func `an attribute of every kind comes back as itself`(name: String) throws {
        let file = try HDF5File(image: everyKind(), name: "attributes")
        #expect(try file.attribute(name, of: "group") == attributes[name])
        #expect(
            try file.attributeNames(of: "group")
                == attributes.keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
    }

    @Test func `an attribute is given as what it can be`() {
        #expect(AttributeValue.int(3).unsignedValue == 3 && AttributeValue.int(-3).unsignedValue == nil)
        #expect(AttributeValue.unsigned(.max).intValue == nil && AttributeValue.unsigned(3).intValue == 3)
        #expect(AttributeValue.int(3).doubleValue == 3 && AttributeValue.double(3).intValue == nil)
        #expect(AttributeValue.string("3").doubleValue == nil && AttributeValue.double(3).stringValue == nil)
    }

    /// The readers by name, each as whether it gives the dataset.
    private static let readers: [(name: String, read: @Sendable (borrowing HDF5File, String) throws -> Void)] = [
        ("floats", { _ = try $0.readFloats($1) }), ("doubles", { _ = try $0.readDoubles($1) }),
        ("int64s", { _ = try $0.readInt64s($1) }), ("uint64s", { _ = try $0.readUInt64s($1) }),
        ("bytes", { _ = try $0.readBytes($1) }),
    ]

    @Test(arguments: [
        ("floats", ["floats", "doubles"]), ("group/doubles", ["floats", "doubles"]),
        ("halves", ["floats", "doubles"]), ("bytes", ["floats", "doubles", "int64s", "uint64s", "bytes"]),
        ("unsigned", ["floats", "doubles", "int64s", "uint64s"]), ("signed", ["floats", "doubles", "int64s"]),
        ("group", []),
    ])
    func `a dataset is read as what holds its numbers, all else is the wrong type`(
        _ dataset: String, _ readable: [String]
    ) throws {
        let file = try HDF5File(image: everyKind(), name: "types")
        for (name, read) in Self.readers {
            do {
                try read(file, dataset)
                #expect(readable.contains(name), "\(dataset) is read as \(name)")
            } catch {
                #expect(!readable.contains(name) && isHDF5Error(.wrongType)(error), "\(dataset) as \(name): \(error)")
            }
        }
    }
}
