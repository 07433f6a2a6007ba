extension YAMLReader {
    func isFlowIndicator(_ byte: UInt8?) -> Bool { byte.map { ",[]{}".utf8.contains($0) } ?? false }

    /// Reads a scalar in quotes, however many lines it takes, or what is in this line of one without.
    mutating func lineScalar(isFlow: Bool) throws(YAMLError) -> YAMLScalar {
        switch character {
        case "\"": return YAMLScalar(text: try doubleQuoted(), isPlain: false)
        case "'": return YAMLScalar(text: try singleQuoted(), isPlain: false)
        case "&", "*":
            throw error("anchors and aliases cannot be used in settings; put a value that begins so into quotes")
        case "!": throw error("tags cannot be used in settings; put a value that begins so into quotes")
        case "?" where isSpace(byte(1)) || isFlow:
            throw error("keys marked by ? cannot be used in settings; write \"setting: value\"")
        case ",", "[", "]", "{", "}", "#", "|", ">", "%", "@", "`":
            throw error("a value cannot begin with \(character.map(String.init) ?? ""); put it into quotes")
        case "-", ":", "?":
            guard !isSpace(byte(1)), !isFlow || (character == "-" && !isFlowIndicator(byte(1))) else {
                throw error("a value cannot begin with \(character.map(String.init) ?? ""); put it into quotes")
            }
            return YAMLScalar(text: try plainLine(isFlow: isFlow), isPlain: true)
        case nil: throw error("the text ends where a value should be")
        default: return YAMLScalar(text: try plainLine(isFlow: isFlow), isPlain: true)
        }
    }

    // MARK: Without quotes

    /// The rest of a line up to a comment, a ":" that ends a key, or what ends it within brackets.
    mutating func plainLine(isFlow: Bool) throws(YAMLError) -> String {
        let start = position
        var end = position
        while !isAtLineEnd {
            if isAtBlank {
                position += 1
                continue
            }
            if byte() == 0x23, isBlank(bytes[position - 1]), position > start { break }
            if byte() == 0x3A, isSpace(byte(1)) { break }
            if byte() == 0x3A, isFlow, isFlowIndicator(byte(1)) || byte(1) == 0x3F {
                throw error("a \":\" without a space behind it within brackets; put a value that ends so into quotes")
            }
            if isFlow && isFlowIndicator(byte()) { break }
            position += 1
            end = position
        }
        position = end
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// Goes on with the lines that belong to a scalar without quotes, those indented deeper than its parent, up to the
    /// beginning of the line behind it.
    mutating func continuePlain(_ text: String, parent: Int) throws(YAMLError) -> YAMLScalar {
        var text = text
        while true {
            let end = self
            skipBlanks()
            guard isAtLineEnd, !isAtEnd else {
                self = end
                break
            }
            let breaks = skipFold()
            guard !isAtEnd, column > parent, !isAtDocumentMark, character != "#" else {
                self = end
                break
            }
            guard !bytes[lineStart..<position].contains(0x09) else {
                throw error("a tab in the indentation; put spaces there")
            }
            text += Self.fold(breaks) + (try plainLine(isFlow: false))
            if isIndicator(":") { throw error("a key within a value of several lines; is it indented too far?") }
        }
        try endLine()
        return YAMLScalar(text: text, isPlain: true)
    }

    /// Skips line ends and the blanks around them, and counts the former.
    mutating func skipFold() -> Int {
        var count = 0
        while isAtLineEnd, !isAtEnd {
            skipBreak()
            count += 1
            skipBlanks()
        }
        return count
    }

    /// What so many line ends within a scalar stand for.
    static func fold(_ breaks: Int) -> String {
        breaks == 1 ? " " : String(repeating: "\n", count: max(0, breaks - 1))
    }

    // MARK: In quotes

    private mutating func singleQuoted() throws(YAMLError) -> String {
        try quoted(0x27) { (reader: inout YAMLReader, text: inout [UInt8]) throws(YAMLError) in
            // A doubled quote is one quote, and the only escape.
            guard reader.byte() == 0x27, reader.byte(1) == 0x27 else { return false }
            text.append(0x27)
            reader.position += 2
            return true
        }
    }

    private mutating func doubleQuoted() throws(YAMLError) -> String {
        try quoted(0x22) { (reader: inout YAMLReader, text: inout [UInt8]) throws(YAMLError) in
            guard reader.byte() == 0x5C else { return false }
            try reader.escape(into: &text)
            return true
        }
    }

    /// - Parameter escape: takes an escape that stands here; false if there is none.
    private mutating func quoted(
        _ quote: UInt8, escape: (inout YAMLReader, inout [UInt8]) throws(YAMLError) -> Bool
    ) throws(YAMLError) -> String {
        let start = self
        var text: [UInt8] = []
        position += 1
        while true {
            guard let byte = byte() else { throw start.error("the quote is never closed") }
            if try escape(&self, &text) { continue }
            if byte == quote {
                position += 1
                return String(decoding: text, as: UTF8.self)
            }
            if isAtBlank {
                // Blanks before a line end do not count.
                let blanks = position
                skipBlanks()
                if !isAtLineEnd { text += bytes[blanks..<position] }
            } else if isAtLineEnd {
                text += Array(Self.fold(try skipQuotedFold(start)).utf8)
            } else {
                text.append(byte)
                position += 1
            }
        }
    }

    private mutating func skipQuotedFold(_ start: YAMLReader) throws(YAMLError) -> Int {
        var count = 0
        while isAtLineEnd, !isAtEnd {
            skipBreak()
            if isAtDocumentMark { throw start.error("the quote is never closed") }
            count += 1
            skipBlanks()
        }
        return count
    }

    private mutating func escape(into text: inout [UInt8]) throws(YAMLError) {
        let place = self
        position += 1
        if isAtLineEnd, !isAtEnd {
            // A line end that is taken back, with the blanks of the next line.
            let breaks = try skipQuotedFold(place)
            text += [UInt8](repeating: 0x0A, count: breaks - 1)
            return
        }
        let simple: [Character: UInt32] = [
            "a": 7, "b": 8, "t": 9, "\t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "e": 27, " ": 32, "\"": 34, "/": 47,
            "\\": 92, "N": 0x85, "_": 0xA0, "L": 0x2028, "P": 0x2029, "0": 0,
        ]
        guard let letter = character else { throw place.error("the quote is never closed") }
        position += 1
        var value = simple[letter]
        if let digits = ["x": 2, "u": 4, "U": 8][letter], position + digits <= bytes.count {
            let hexadecimal = bytes[position..<(position + digits)]
            // A sign would be taken for a digit otherwise.
            if hexadecimal.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) {
                value = UInt32(String(decoding: hexadecimal, as: UTF8.self), radix: 16)
                position += digits
            }
        }
        guard let value, value != 0, let scalar = Unicode.Scalar(value) else {
            throw place.error("an escape that stands for no character")
        }
        text += Array(String(scalar).utf8)
    }

    // MARK: Block scalars

    /// Reads `|` or `>` and the lines below that belong to it, up to the beginning of the line behind them.
    mutating func blockScalar(parent: Int) throws(YAMLError) -> YAMLScalar {
        let isLiteral = character == "|"
        position += 1
        var keepsEnd: Bool?
        var indentation = 0
        while let byte = byte(), !isSpace(byte) {
            switch byte {
            case 0x2B where keepsEnd == nil: keepsEnd = true
            case 0x2D where keepsEnd == nil: keepsEnd = false
            case 0x31...0x39 where indentation == 0: indentation = max(parent, 0) + Int(byte - 0x30)
            default: throw error("not the head of a block of text; put a value that begins so into quotes")
            }
            position += 1
        }
        try endLine()

        var text: [UInt8] = []
        var lineEnd: [UInt8] = []
        var wasIndented = false
        var breaks = try skipBlockBreaks(&indentation, parent: parent)
        while column == indentation && !isAtEnd {
            let isIndented = isAtBlank
            if !isLiteral && !lineEnd.isEmpty && !wasIndented && !isIndented {
                if breaks.isEmpty { text.append(0x20) }
            } else {
                text += lineEnd
            }
            text += breaks
            wasIndented = isIndented
            let start = position
            while !isAtLineEnd { position += 1 }
            text += bytes[start..<position]
            lineEnd = isAtEnd ? [] : [0x0A]
            if !isAtEnd { skipBreak() }
            breaks = try skipBlockBreaks(&indentation, parent: parent)
        }
        if keepsEnd != false { text += lineEnd }
        if keepsEnd == true { text += breaks }
        // What ended it is looked at again from its line's beginning.
        if !isAtEnd { position = lineStart }
        return YAMLScalar(text: String(decoding: text, as: UTF8.self), isPlain: false)
    }

    /// Skips indentation and empty lines within a block of text, and finds its indentation where that is not known.
    private mutating func skipBlockBreaks(_ indentation: inout Int, parent: Int) throws(YAMLError) -> [UInt8] {
        var breaks: [UInt8] = []
        var deepest = 0
        while true {
            while (indentation == 0 || column < indentation) && byte() == 0x20 { position += 1 }
            deepest = max(deepest, column)
            if indentation == 0 || column < indentation, byte() == 0x09 {
                throw error("a tab in the indentation; put spaces there")
            }
            guard isAtLineEnd, !isAtEnd else { break }
            skipBreak()
            breaks.append(0x0A)
        }
        if indentation == 0 { indentation = max(deepest, parent + 1, 1) }
        return breaks
    }
}
