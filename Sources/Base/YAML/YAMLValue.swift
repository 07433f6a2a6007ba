public import Failures

/// A value in a text of settings.
///
/// Settings are strangers' files too, so what is read is a part of YAML that costs no more than its length: block and
/// flow mappings and lists, every kind of scalar, comments, one document. Anchors, aliases, tags and keys that are no
/// scalars are refused where they stand. JSON is a part of that part.
public enum YAMLValue: Sendable, Equatable {
    /// Text, or null.
    case scalar(YAMLScalar)
    /// Values in their order.
    case list([YAMLValue])
    /// Values by their keys, in the order of the text; no key is there twice.
    case mapping([YAMLEntry])

    /// The largest text that is read where nothing else is said, in bytes.
    public static let sizeLimit = 1 << 20
    /// How deep lists and mappings may lie within each other.
    public static let depthLimit = 16

    /// Reads one document.
    /// - Parameters:
    ///   - bytes: UTF-8, perhaps with a byte-order mark.
    ///   - limit: the most bytes that are taken.
    /// - Returns: nil for a text of nothing but blanks and comments, or null.
    /// - Throws: ``YAMLError`` naming the line.
    public init?(_ bytes: [UInt8], limit: Int = sizeLimit) throws(YAMLError) {
        guard bytes.count <= limit else { throw YAMLError("larger than \(limit) bytes") }
        var reader = try YAMLReader(bytes)
        let value = try reader.document()
        if case .scalar(let scalar) = value, scalar.isNull { return nil }
        self = value
    }

    /// Reads one document from text.
    public init?(_ text: String, limit: Int = sizeLimit) throws(YAMLError) {
        try self.init(Array(text.utf8), limit: limit)
    }

    /// The scalar, nil if it is a list or a mapping.
    public var scalar: YAMLScalar? { if case .scalar(let scalar) = self { scalar } else { nil } }

    /// The entries, nil if it is no mapping.
    public var mapping: [YAMLEntry]? { if case .mapping(let entries) = self { entries } else { nil } }

    /// Whether it is null: nothing, `~` or `null`, without quotes.
    public var isNull: Bool { scalar?.isNull == true }

    /// What it is, for a sentence about a value that should have been a scalar: its text, "a list" or "a mapping".
    public var words: String {
        switch self {
        case .scalar(let scalar): scalar.isNull ? "null" : scalar.text
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// One `key: value` of a mapping.
public struct YAMLEntry: Sendable, Equatable {
    /// The key's text.
    public let key: String
    /// What it is given.
    public let value: YAMLValue
}

/// A scalar: its text, never resolved to a number or a truth value.
public struct YAMLScalar: Sendable, Equatable {
    /// The text, quotes and escapes resolved.
    public let text: String
    /// Whether it stands there without quotes and is no block scalar.
    public let isPlain: Bool

    /// Whether it stands for "nothing".
    public var isNull: Bool { isPlain && ["", "~", "null", "Null", "NULL"].contains(text) }
}

/// A text that cannot be read as settings.
public struct YAMLError: Failure, Equatable {
    /// The sentence, with the line and the column where that is known.
    public let message: String

    init(_ problem: String) { message = problem }

    init(_ problem: String, line: Int, column: Int) {
        message = "line \(line), column \(column): \(problem)"
    }

    /// The kind of error, for programs.
    public var name: String { "malformed_settings" }
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus { .badSettings }
}
