/// The value of an attribute: a small named fact attached to a group or dataset.
///
/// Equality is that of the stored bits, so a NaN equals itself and -0 differs from 0.
public enum AttributeValue: Sendable {
    /// Text in UTF-8, without NUL characters.
    case string(String)
    /// A signed integer.
    case int(Int64)
    /// An unsigned 64-bit integer.
    case unsigned(UInt64)
    /// A real number.
    case double(Double)
    /// A one-dimensional list of integers.
    case ints([Int64])
    /// A one-dimensional list of real numbers.
    case doubles([Double])

    /// The text, if this is text.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, if this is one that fits.
    public var intValue: Int64? {
        switch self {
        case .int(let value): value
        case .unsigned(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The non-negative integer, if this is one.
    public var unsignedValue: UInt64? {
        switch self {
        case .int(let value): UInt64(exactly: value)
        case .unsigned(let value): value
        default: nil
        }
    }

    /// The number, if this is a real number or an integer (rounded to the nearest double).
    public var doubleValue: Double? {
        switch self {
        case .double(let value): value
        case .int(let value): Double(value)
        case .unsigned(let value): Double(value)
        default: nil
        }
    }
}

extension AttributeValue: Equatable {
    /// Equal cases with equal bits.
    public static func == (left: AttributeValue, right: AttributeValue) -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.int(let left), .int(let right)): left == right
        case (.unsigned(let left), .unsigned(let right)): left == right
        case (.double(let left), .double(let right)): left.bitPattern == right.bitPattern
        case (.ints(let left), .ints(let right)): left == right
        case (.doubles(let left), .doubles(let right)):
            left.elementsEqual(right) { $0.bitPattern == $1.bitPattern }
        default: false
        }
    }
}

extension AttributeValue: CustomStringConvertible {
    /// The value as text, without quotes.
    public var description: String {
        switch self {
        case .string(let value): value
        case .int(let value): String(value)
        case .unsigned(let value): String(value)
        case .double(let value): String(value)
        case .ints(let values): "[\(values.map(String.init).joined(separator: ", "))]"
        case .doubles(let values): "[\(values.map { String($0) }.joined(separator: ", "))]"
        }
    }
}
