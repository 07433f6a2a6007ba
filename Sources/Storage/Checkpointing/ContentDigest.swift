import Failures
import Files
import HDF5

extension Snapshot {
    /// A SHA-256, in hexadecimal, over everything in the snapshot: what a file's attribute `content_sha256` holds.
    ///
    /// The digest covers, in this order: the format and its version; for each dataset, in the order of the paths' bytes,
    /// "dataset", path, type name, rank, extents and the little-endian elements; for each attribute, likewise ordered,
    /// "attribute", path, type name, length and value. Texts are preceded by their length, and all integers are 64-bit
    /// little-endian. It depends on nothing in how HDF5 lays a file out, so it survives a repacking.
    func contentDigest(format: String, version: Int) throws(CheckpointError) -> String {
        let hash = try CheckpointError.converting { try SHA256() }
        hash.update(format)
        hash.update(UInt64(bitPattern: Int64(version)))
        for path in Self.ordered(datasets.keys) {
            guard let dataset = datasets[path] else { continue }
            hash.update("dataset")
            hash.update(path)
            hash.update(dataset.values.typeName)
            hash.update(UInt64(dataset.shape.count))
            for side in dataset.shape { hash.update(UInt64(side)) }
            dataset.values.withBytes { hash.update($0) }
        }
        for path in Self.ordered(attributes.keys) {
            guard let value = attributes[path] else { continue }
            hash.update("attribute")
            hash.update(path)
            Self.add(value, to: hash)
        }
        return try Self.finish(hash)
    }

    private static func finish(_ hash: consuming SHA256) throws(CheckpointError) -> String {
        do {
            return try hash.finishHexadecimal()
        } catch {
            throw CheckpointError(.unavailable, error.message)
        }
    }

    /// Paths in the order of their bytes: the same for everyone, whatever the language or the hash seed.
    static func ordered(_ paths: some Sequence<String>) -> [String] {
        paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func add(_ value: AttributeValue, to hash: borrowing SHA256) {
        switch value {
        case .string(let text):
            hash.update("string")
            hash.update(text)
        case .int(let value):
            hash.update("int")
            hash.update(UInt64(bitPattern: value))
        case .unsigned(let value):
            hash.update("unsigned")
            hash.update(value)
        case .double(let value):
            hash.update("double")
            hash.update(value.bitPattern)
        case .ints(let values):
            hash.update("ints")
            hash.update(UInt64(values.count))
            for value in values { hash.update(UInt64(bitPattern: value)) }
        case .doubles(let values):
            hash.update("doubles")
            hash.update(UInt64(values.count))
            for value in values { hash.update(value.bitPattern) }
        }
    }
}
