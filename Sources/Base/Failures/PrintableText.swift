/// Text that comes from names, logs and files, made fit to be shown to people: nothing in it moves the cursor, changes
/// colours or titles, breaks a line, hides, or makes one name read as another.
///
/// Everything that the programs print or log goes through here.
package enum PrintableText {
    /// One line: whatever is not ``isPlain(_:)`` is written as in a Swift string, `\n`, `\u{1B}`.
    package static func line(_ text: String) -> String {
        escaped(text, where: { !isPlain($0) }, as: inSwift)
    }

    /// Several lines: as ``line(_:)``, but line feeds and tabs stay.
    package static func lines(_ text: String) -> String {
        escaped(text, where: { !isPlain($0) && $0 != "\n" && $0 != "\t" }, as: inSwift)
    }

    /// JSON text that decodes to the same value: what is not plain, and can therefore only stand within a string, is
    /// written as `\u001b`. The line feeds and tabs between its parts stay.
    package static func json(_ text: String) -> String {
        escaped(text, where: { !isPlain($0) && $0 != "\n" && $0 != "\t" }) { scalar in
            String(scalar).utf16.map { "\\u" + hexadecimal(UInt32($0), digits: 4) }.joined()
        }
    }

    /// Whether a scalar is shown as what it is, on its own place in the line.
    ///
    /// Not plain are control characters (C0, DEL, C1), separators of lines and paragraphs, what changes the direction of
    /// writing, what is invisible (joiners, byte-order marks, tags, fillers), what belongs to no script (private use,
    /// unassigned, noncharacters). Variation selectors stay, as they only choose between forms of what is before them.
    package static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7E: return true
        case 0xFE00...0xFE0F: return true
        default: break
        }
        let properties = scalar.properties
        if properties.isDefaultIgnorableCodePoint || properties.isBidiControl { return false }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
        default: return true
        }
    }

    private static func escaped(
        _ text: String, where mustEscape: (Unicode.Scalar) -> Bool, as form: (Unicode.Scalar) -> String
    ) -> String {
        guard text.unicodeScalars.contains(where: mustEscape) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if mustEscape(scalar) { result += form(scalar) } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    private static func inSwift(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u{" + hexadecimal(scalar.value, digits: 2) + "}"
        }
    }

    private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

/// A stream of bytes, such as a log being written, as printable text: lines and tabs are kept, bytes that are no UTF-8
/// become U+FFFD, and a character that is cut in two by the end of a piece waits for its rest.
package struct PrintableStream {
    private var rest: [UInt8] = []

    package init() {}

    /// The text of the bytes that have come, but for a last character that may not be complete.
    package mutating func take(_ bytes: some Sequence<UInt8>) -> String {
        rest.append(contentsOf: bytes)
        let complete = rest.count - Self.incompleteSuffix(of: rest)
        let text = String(decoding: rest[..<complete], as: UTF8.self)
        rest.removeFirst(complete)
        return PrintableText.lines(text)
    }

    /// What is left when no more bytes come.
    package mutating func finish() -> String {
        defer { rest = [] }
        return PrintableText.lines(String(decoding: rest, as: UTF8.self))
    }

    /// How many of the last bytes are the beginning of a character that is not complete.
    private static func incompleteSuffix(of bytes: [UInt8]) -> Int {
        for (index, byte) in bytes.suffix(3).reversed().enumerated() {
            let length =
                switch byte {
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                case 0x80...0xBF: 0
                default: 1
                }
            if length > 0 { return length > index + 1 ? index + 1 : 0 }
        }
        return 0
    }
}
