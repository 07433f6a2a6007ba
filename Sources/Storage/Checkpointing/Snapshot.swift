public import HDF5
public import Tensors

/// The complete state of a run at one moment, in memory: a tree of named datasets and attributes.
///
/// Paths are names joined by slashes ("dip/adam_m"); outer slashes do not count. An attribute's path ends in its name:
/// "random/noise/key" is the attribute `key` of the group (or dataset) `random/noise`, and "step" belongs to the root.
/// Arrays are shared until written to, so taking a snapshot of arrays costs no copy.
public struct Snapshot: Sendable {
    /// Every dataset, by path.
    public private(set) var datasets: [String: Dataset] = [:]
    /// Every attribute, by path.
    public private(set) var attributes: [String: AttributeValue] = [:]
    /// Where the snapshot comes from, for messages; no part of its value.
    public var origin = "snapshot"

    /// A snapshot of nothing.
    public init() {}

    /// Whether a dataset, an attribute, or a group with either in it is there.
    public func contains(_ path: String) -> Bool {
        let path = Self.normalised(path)
        if datasets[path] != nil || attributes[path] != nil { return true }
        return datasets.keys.contains { Self.path($0, below: path) != nil }
            || attributes.keys.contains { Self.path($0, below: path) != nil }
    }

    // MARK: Datasets

    /// Puts a dataset at a path, in place of any before it.
    public mutating func set(_ path: String, _ dataset: Dataset) { datasets[Self.normalised(path)] = dataset }

    /// Puts a tensor at a path, shape and all.
    public mutating func set(_ path: String, _ tensor: Tensor<Float>) { set(path, Dataset(tensor)) }

    /// Puts a tensor at a path, shape and all.
    public mutating func set(_ path: String, _ tensor: Tensor<Double>) { set(path, Dataset(tensor)) }

    /// The dataset at a path.
    ///
    /// - Throws: ``CheckpointError/Code/missing``.
    public func dataset(_ path: String) throws(CheckpointError) -> Dataset {
        guard let dataset = datasets[Self.normalised(path)] else {
            throw CheckpointError(.missing, "\(origin): no dataset \(path)")
        }
        return dataset
    }

    /// Single-precision numbers, in row-major order.
    ///
    /// - Parameter count: how many there must be; any number if nil.
    /// - Throws: ``CheckpointError/Code/missing``, ``CheckpointError/Code/wrongType``,
    ///   ``CheckpointError/Code/wrongShape``.
    public func floats(_ path: String, count: Int? = nil) throws(CheckpointError) -> [Float] {
        let dataset = try dataset(path, count: count)
        guard case .float(let values) = dataset.values else { throw wrongType(path, dataset, "float32") }
        return values
    }

    /// Double-precision numbers, in row-major order; throws as ``floats(_:count:)``.
    public func doubles(_ path: String, count: Int? = nil) throws(CheckpointError) -> [Double] {
        let dataset = try dataset(path, count: count)
        guard case .double(let values) = dataset.values else { throw wrongType(path, dataset, "float64") }
        return values
    }

    /// Signed integers, in row-major order; throws as ``floats(_:count:)``.
    public func int64s(_ path: String, count: Int? = nil) throws(CheckpointError) -> [Int64] {
        let dataset = try dataset(path, count: count)
        guard case .int64(let values) = dataset.values else { throw wrongType(path, dataset, "int64") }
        return values
    }

    /// Unsigned integers, in row-major order; throws as ``floats(_:count:)``.
    public func uint64s(_ path: String, count: Int? = nil) throws(CheckpointError) -> [UInt64] {
        let dataset = try dataset(path, count: count)
        guard case .uint64(let values) = dataset.values else { throw wrongType(path, dataset, "uint64") }
        return values
    }

    /// Bytes, in row-major order; throws as ``floats(_:count:)``.
    public func bytes(_ path: String, count: Int? = nil) throws(CheckpointError) -> [UInt8] {
        let dataset = try dataset(path, count: count)
        guard case .uint8(let values) = dataset.values else { throw wrongType(path, dataset, "uint8") }
        return values
    }

    /// A single-precision tensor.
    ///
    /// - Parameter shape: the shape it must have; any if nil.
    /// - Throws: as ``floats(_:count:)``.
    public func tensor(_ path: String, shape: [Int]? = nil) throws(CheckpointError) -> Tensor<Float> {
        let dataset = try dataset(path)
        guard case .float(let values) = dataset.values else { throw wrongType(path, dataset, "float32") }
        if let shape, shape != dataset.shape {
            throw CheckpointError(
                .wrongShape, "\(origin): dataset \(path) has shape \(dataset.shape), expected \(shape)")
        }
        return Tensor(shape: dataset.shape, values)
    }

    // MARK: Attributes

    /// Gives an attribute a value, in place of any before it.
    public mutating func setAttribute(_ path: String, _ value: AttributeValue) {
        attributes[Self.normalised(path)] = value
    }

    /// Gives an attribute a text, which must hold no NUL character.
    public mutating func setAttribute(_ path: String, _ value: String) { setAttribute(path, .string(value)) }

    /// Gives an attribute an integer.
    public mutating func setAttribute(_ path: String, _ value: Int) { setAttribute(path, .int(Int64(value))) }

    /// Gives an attribute a real number.
    public mutating func setAttribute(_ path: String, _ value: Double) { setAttribute(path, .double(value)) }

    /// The value of an attribute.
    ///
    /// - Throws: ``CheckpointError/Code/missing``.
    public func attribute(_ path: String) throws(CheckpointError) -> AttributeValue {
        guard let value = attributes[Self.normalised(path)] else {
            throw CheckpointError(.missing, "\(origin): no attribute \(path)")
        }
        return value
    }

    /// An integer attribute.
    ///
    /// - Throws: ``CheckpointError/Code/missing``, ``CheckpointError/Code/wrongType``.
    public func int(_ path: String) throws(CheckpointError) -> Int {
        let value = try attribute(path)
        guard let int = value.intValue.flatMap(Int.init(exactly:)) else { throw wrongType(path, value, "an integer") }
        return int
    }

    /// An unsigned 64-bit attribute; throws as ``int(_:)``.
    public func unsigned(_ path: String) throws(CheckpointError) -> UInt64 {
        let value = try attribute(path)
        guard let unsigned = value.unsignedValue else { throw wrongType(path, value, "a non-negative integer") }
        return unsigned
    }

    /// A real attribute (an integer will do); throws as ``int(_:)``.
    public func double(_ path: String) throws(CheckpointError) -> Double {
        let value = try attribute(path)
        guard let double = value.doubleValue else { throw wrongType(path, value, "a number") }
        return double
    }

    /// A text attribute; throws as ``int(_:)``.
    public func string(_ path: String) throws(CheckpointError) -> String {
        let value = try attribute(path)
        guard let string = value.stringValue else { throw wrongType(path, value, "text") }
        return string
    }

    /// Takes an attribute out, if it is there.
    mutating func removeAttribute(_ path: String) -> AttributeValue? {
        attributes.removeValue(forKey: Self.normalised(path))
    }

    private static func path(_ path: String, below prefix: String) -> String? {
        if prefix.isEmpty { return path }
        guard path.utf8.starts(with: (prefix + "/").utf8) else { return nil }
        return String(Substring(path.utf8.dropFirst(prefix.utf8.count + 1)))
    }

    /// The names along a path, split at every slash byte, as the HDF5 library does.
    static func components(of path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    }

    private static func normalised(_ path: String) -> String { components(of: path).joined(separator: "/") }

    private func dataset(_ path: String, count: Int?) throws(CheckpointError) -> Dataset {
        let dataset = try dataset(path)
        if let count, dataset.values.count != count {
            throw CheckpointError(
                .wrongShape,
                "\(origin): dataset \(path) has \(dataset.values.count) elements (shape \(dataset.shape)), "
                    + "expected \(count)")
        }
        return dataset
    }

    private func wrongType(_ path: String, _ dataset: Dataset, _ wanted: String) -> CheckpointError {
        CheckpointError(
            .wrongType, "\(origin): dataset \(path) is of type \(dataset.values.typeName), expected \(wanted)")
    }

    private func wrongType(_ path: String, _ value: AttributeValue, _ wanted: String) -> CheckpointError {
        CheckpointError(.wrongType, "\(origin): attribute \(path) is \(value), expected \(wanted)")
    }
}

extension Snapshot: Equatable {
    /// Equal datasets and attributes, wherever they come from.
    public static func == (left: Snapshot, right: Snapshot) -> Bool {
        left.datasets == right.datasets && left.attributes == right.attributes
    }
}
