/// A scalar that a ``Tensor`` can hold: 32-bit or 64-bit floating point, or bfloat16 storage.
public protocol TensorScalar: BitwiseCopyable, Sendable, Equatable {
    /// The value zero.
    static var zero: Self { get }
}

extension Float: TensorScalar {}
extension Double: TensorScalar {}

/// A bfloat16 number: the upper half of an IEEE-754 binary32, used for storage only. Arithmetic is done in `Float`.
public struct BFloat16: TensorScalar, Hashable {
    /// Sign, eight exponent bits and seven fraction bits.
    public var bitPattern: UInt16

    /// The number with these bits.
    public init(bitPattern: UInt16) { self.bitPattern = bitPattern }

    /// The nearest bfloat16 to `value`, ties to even; a NaN stays a (quiet) NaN.
    public init(_ value: Float) {
        let bits = value.bitPattern
        if value.isNaN {
            bitPattern = UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
        } else {
            bitPattern = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
        }
    }

    /// This number in single precision, exactly.
    public var float: Float { Float(bitPattern: UInt32(bitPattern) << 16) }

    /// Positive zero.
    public static let zero = BFloat16(bitPattern: 0)
}
