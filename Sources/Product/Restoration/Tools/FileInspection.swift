import Checkpointing
import Files
import Foundation
import HDF5

/// What an HDF5 file of this program's kinds (checkpoint, result, kernel, weights) holds, in a form to print.
public struct FileInspection: Sendable, Encodable {
    /// An array in the file.
    public struct DatasetSummary: Sendable, Encodable {
        /// Where it is.
        public var path: String
        /// The extent of each axis.
        public var shape: [Int]
        /// The elements' type in the file.
        public var type: String
        /// The least, greatest and mean value; nil for an empty dataset, and for one that is not of numbers.
        public var minimum: Double?
        /// See ``minimum``.
        public var maximum: Double?
        /// See ``minimum``.
        public var mean: Double?
        /// Elements that are not finite.
        public var notFinite: Int
        /// Whether every chunk has a checksum.
        public var hasChecksum: Bool

        enum CodingKeys: String, CodingKey {
            case path, shape, type, minimum, maximum, mean
            case notFinite = "not_finite"
            case hasChecksum = "checksum"
        }
    }

    /// The file.
    public var path: String
    /// Its size in bytes.
    public var bytes: Int
    /// The attribute `format`, nil where there is none.
    public var format: String?
    /// The attribute `format_version`.
    public var formatVersion: Int?
    /// Whether the whole file was found as it was written; nil for formats that carry no proof.
    public var isIntact: Bool?
    /// Why it is not intact.
    public var damage: String?
    /// The attributes, by path ("random/noise/counter").
    public var attributes: [String: String]
    /// The arrays.
    public var datasets: [DatasetSummary]
    /// The diffusion models in it.
    public var models: [WeightsSummary]

    enum CodingKeys: String, CodingKey {
        case path, bytes, format, attributes, datasets, damage, models
        case formatVersion = "format_version"
        case isIntact = "intact"
    }

    /// Looks at a file.
    /// - Throws: ``FileError`` if it is not there, `CheckpointError` or `HDF5Error` if it is no readable HDF5 file.
    public init(_ path: String) throws {
        try LocalFileSystem().requireReadable(path)
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        self.path = path
        bytes = size ?? 0
        attributes = [:]
        datasets = []
        models = []
        let tree: HDF5Node
        do throws(CheckpointError) {
            // Verifies what has an end mark before the HDF5 library, which damage can crash, sees any of it.
            tree = try SnapshotFile.tree(of: path)
        } catch {
            guard error.code == .damaged else { throw error }
            isIntact = false
            damage = error.message
            return
        }
        let file = try HDF5File(reading: path)
        try visit(tree, at: "", in: file)
        models = WeightsSummary.all(attributes: attributes, datasets: datasets)
        format = try? file.attribute("format").stringValue
        formatVersion = (try? file.attribute("format_version").intValue).flatMap { $0.flatMap { Int($0) } }
        // Files that the program writes prove their own integrity; those of others (kernels, weights) may not.
        if let format, attributes["content_sha256"] != nil {
            do {
                _ = try SnapshotFile.read(from: path, format: format, version: .max)
                isIntact = true
            } catch {
                isIntact = false
                damage = error.message
            }
        }
    }

    private mutating func visit(_ node: HDF5Node, at path: String, in file: borrowing HDF5File) throws {
        func inside(_ name: String) -> String { path.isEmpty ? name : "\(path)/\(name)" }
        for attribute in node.attributes {
            attributes[inside(attribute.name)] = attribute.value.map(Self.text) ?? "(not readable)"
        }
        if let problem = node.problem {
            isIntact = false
            damage = problem
        }
        if node.dataset != nil, node.problem == nil { datasets.append(try Self.summary(path, in: file)) }
        for child in node.children { try visit(child, at: inside(child.name), in: file) }
    }

    private static func summary(_ path: String, in file: borrowing HDF5File) throws -> DatasetSummary {
        let description = try file.describe(path)
        var summary = DatasetSummary(
            path: path, shape: description.shape, type: description.elementType.description, notFinite: 0,
            hasChecksum: description.hasFletcher32)
        guard case .other = description.elementType else {
            let values = try file.readDoubles(path).values
            let finite = values.lazy.filter(\.isFinite)
            let count = finite.reduce(0) { count, _ in count + 1 }
            summary.notFinite = values.count - count
            summary.minimum = finite.min()
            summary.maximum = finite.max()
            summary.mean = count > 0 ? finite.reduce(0, +) / Double(count) : nil
            return summary
        }
        return summary
    }

    private static func text(_ value: AttributeValue) -> String {
        switch value {
        case .string(let text): text
        case .int(let number): String(number)
        case .unsigned(let number): String(number)
        case .double(let number): String(number)
        case .ints(let numbers): numbers.map { String($0) }.joined(separator: ", ")
        case .doubles(let numbers): numbers.map { String($0) }.joined(separator: ", ")
        }
    }
}
