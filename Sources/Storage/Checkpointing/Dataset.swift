import Foundation
public import Tensors

/// An array of a snapshot: a shape, and the elements in row-major order in one of the types that checkpoints hold.
///
/// Equality is that of the stored bits, so a NaN equals itself and -0 differs from 0: equal datasets resume alike.
public struct Dataset: Sendable {
    /// The elements, by type.
    public enum Values: Sendable {
        /// 32-bit floating point.
        case float([Float])
        /// 64-bit floating point.
        case double([Double])
        /// Signed 64-bit integers.
        case int64([Int64])
        /// Unsigned 64-bit integers.
        case uint64([UInt64])
        /// Bytes.
        case uint8([UInt8])

        /// The number of elements.
        public var count: Int {
            switch self {
            case .float(let values): values.count
            case .double(let values): values.count
            case .int64(let values): values.count
            case .uint64(let values): values.count
            case .uint8(let values): values.count
            }
        }

        /// The type's name, as in "float32".
        public var typeName: String {
            switch self {
            case .float: "float32"
            case .double: "float64"
            case .int64: "int64"
            case .uint64: "uint64"
            case .uint8: "uint8"
            }
        }

        /// The elements as they are stored.
        func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
            switch self {
            case .float(let values): values.withUnsafeBytes(body)
            case .double(let values): values.withUnsafeBytes(body)
            case .int64(let values): values.withUnsafeBytes(body)
            case .uint64(let values): values.withUnsafeBytes(body)
            case .uint8(let values): values.withUnsafeBytes(body)
            }
        }
    }

    /// The extent of each axis; empty for a scalar.
    public let shape: [Int]
    /// The elements in row-major order.
    public let values: Values

    /// A dataset of this shape. The number of elements must be that of the shape.
    public init(shape: [Int], values: Values) {
        precondition(
            shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) == values.count,
            "shape \(shape) does not hold \(values.count) elements")
        self.shape = shape
        self.values = values
    }

    /// A list of single-precision numbers.
    public init(_ values: [Float]) { self.init(shape: [values.count], values: .float(values)) }

    /// A list of double-precision numbers.
    public init(_ values: [Double]) { self.init(shape: [values.count], values: .double(values)) }

    /// A list of signed integers.
    public init(_ values: [Int64]) { self.init(shape: [values.count], values: .int64(values)) }

    /// A list of unsigned integers.
    public init(_ values: [UInt64]) { self.init(shape: [values.count], values: .uint64(values)) }

    /// A list of bytes.
    public init(_ values: [UInt8]) { self.init(shape: [values.count], values: .uint8(values)) }

    /// A tensor's elements and shape.
    public init(_ tensor: Tensor<Float>) { self.init(shape: tensor.shape, values: .float(tensor.elements)) }

    /// A tensor's elements and shape.
    public init(_ tensor: Tensor<Double>) { self.init(shape: tensor.shape, values: .double(tensor.elements)) }
}

private func equalBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    guard let leftStart = left.baseAddress, let rightStart = right.baseAddress else { return true }
    return memcmp(leftStart, rightStart, left.count) == 0
}

extension Dataset: Equatable {
    /// Equal shapes, types and bits.
    public static func == (left: Dataset, right: Dataset) -> Bool {
        left.shape == right.shape && left.values.typeName == right.values.typeName
            && left.values.withBytes { left in right.values.withBytes { right in equalBytes(left, right) } }
    }
}
