/// Reads a text from its beginning to its end, each byte once: the block structure, which indentation makes.
struct YAMLReader {
    let bytes: [UInt8]
    var position = 0
    var line = 1
    var lineStart = 0

    /// Checks the encoding; nothing that is read later can meet a byte that is no text.
    init(_ bytes: [UInt8]) throws(YAMLError) {
        var bytes = bytes[...]
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) || bytes.prefix(2).contains(0) {
            throw YAMLError("UTF-16 text; save it as UTF-8")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw YAMLError("not UTF-8 text; save it as UTF-8")
        }
        self.bytes = Array(bytes)
        var lines = 1
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A: lines += 1
            case 0x09, 0x0D: break
            // The separators end a line for some readers and do not for others.
            case ..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF:
                throw YAMLError(
                    "line \(lines): a control character, U+" + String(scalar.value, radix: 16, uppercase: true))
            default: break
            }
        }
    }

    // MARK: Characters

    /// The byte so many places on; nil behind the end.
    func byte(_ offset: Int = 0) -> UInt8? {
        position + offset < bytes.count ? bytes[position + offset] : nil
    }

    /// The present byte as an ASCII character, if it is one.
    var character: Character? { byte().flatMap { $0 < 0x80 ? Character(Unicode.Scalar($0)) : "\u{FFFD}" } }

    var isAtEnd: Bool { position >= bytes.count }
    /// How far the position is from its line's beginning.
    var column: Int { position - lineStart }
    var isAtLineEnd: Bool { isBreak(byte()) }
    var isAtBlank: Bool { isBlank(byte()) }

    /// Whether a byte, or the end of the text, ends a line.
    func isBreak(_ byte: UInt8?) -> Bool { byte == nil || byte == 0x0A || byte == 0x0D }
    func isBlank(_ byte: UInt8?) -> Bool { byte == 0x20 || byte == 0x09 }
    /// Whether a byte separates an indicator from what follows.
    func isSpace(_ byte: UInt8?) -> Bool { isBlank(byte) || isBreak(byte) }

    /// Whether an indicator stands here by itself.
    func isIndicator(_ character: Character) -> Bool { self.character == character && isSpace(byte(1)) }

    mutating func skipBreak() {
        if byte() == 0x0D && byte(1) == 0x0A { position += 1 }
        if !isAtEnd { position += 1 }
        line += 1
        lineStart = position
    }

    mutating func skipBlanks() { while isAtBlank { position += 1 } }

    func error(_ problem: String) -> YAMLError { YAMLError(problem, line: line, column: column + 1) }

    /// Skips the rest of a line, which may only be blanks and a comment.
    mutating func endLine() throws(YAMLError) {
        skipBlanks()
        if character == "#", column == 0 || isBlank(bytes[position - 1]) { while !isAtLineEnd { position += 1 } }
        guard isAtLineEnd else {
            throw error("something is left over after the value; put it into quotes if it belongs to it")
        }
        if !isAtEnd { skipBreak() }
    }

    /// Skips empty lines and comments, up to the next content; the position is at a line's beginning.
    mutating func skipToContent() throws(YAMLError) {
        while !isAtEnd {
            while byte() == 0x20 { position += 1 }
            let place = self
            skipBlanks()
            if character == "#" { while !isAtLineEnd { position += 1 } }
            if isAtEnd { return }
            guard isAtLineEnd else {
                if place.byte() == 0x09 { throw place.error("a tab in the indentation; put spaces there") }
                return
            }
            skipBreak()
        }
    }

    /// Whether `---` or `...` begins this line.
    var isAtDocumentMark: Bool {
        guard column == 0, let first = byte(), first == 0x2D || first == 0x2E else { return false }
        return byte(1) == first && byte(2) == first && isSpace(byte(3))
    }

    // MARK: Structure

    mutating func document() throws(YAMLError) -> YAMLValue {
        try skipToContent()
        var hasDirective = false
        while character == "%" && column == 0 {
            guard let version = ["%YAML 1.1", "%YAML 1.2"].first(where: { bytes[position...].starts(with: $0.utf8) })
            else {
                throw error("directives cannot be used in settings")
            }
            position += version.utf8.count
            try endLine()
            hasDirective = true
            try skipToContent()
        }
        var value: YAMLValue?
        if isAtDocumentMark, character == "-" {
            position += 3
            skipBlanks()
            if isAtLineEnd || character == "#" {
                try endLine()
            } else {
                value = try node(parent: -1, depth: 0, isInline: true)
            }
        } else if hasDirective {
            throw error("a directive must be followed by ---")
        }
        if value == nil {
            try skipToContent()
            value = isAtEnd || isAtDocumentMark ? .null : try node(parent: -1, depth: 0, isInline: false)
        }
        try skipToContent()
        if isAtDocumentMark, character == "." {
            position += 3
            try endLine()
            try skipToContent()
        }
        guard isAtEnd else {
            throw error(
                isAtDocumentMark ? "a second document; only one is read" : "indented otherwise than what it follows")
        }
        return value ?? .null
    }

    /// Reads what begins here, up to the beginning of the line behind it.
    /// - Parameters:
    ///   - parent: the indentation of what it belongs to; -1 if to nothing.
    ///   - isInline: whether it stands behind a key in its line, where neither a list nor a key can begin.
    mutating func node(parent: Int, depth: Int, isInline: Bool) throws(YAMLError) -> YAMLValue {
        guard depth <= YAMLValue.depthLimit else { throw error("nested more than \(YAMLValue.depthLimit) deep") }
        if isIndicator("-") {
            if isInline { throw error("a list cannot begin in this line; put it below, indented") }
            return try list(indentation: column, depth: depth)
        }
        let start = self
        switch character {
        case "|", ">":
            return .scalar(try blockScalar(parent: parent))
        case "[", "{":
            let value = try flow(depth: depth)
            skipBlanks()
            if character == ":" { throw start.error("a key must be a word, not a list or a mapping") }
            try endLine()
            return value
        default:
            let scalar = try lineScalar(isFlow: false)
            let isOneLine = line == start.line
            let end = position
            skipBlanks()
            if isIndicator(":") {
                guard !isInline else { throw error("a second \":\" in one line; put the value into quotes") }
                guard isOneLine else { throw start.error("a key must stand in one line") }
                self = start
                return try mapping(indentation: column, depth: depth)
            }
            position = end
            guard scalar.isPlain else {
                try endLine()
                return .scalar(scalar)
            }
            return .scalar(try continuePlain(scalar.text, parent: parent))
        }
    }

    private mutating func mapping(indentation: Int, depth: Int) throws(YAMLError) -> YAMLValue {
        var entries: [YAMLEntry] = []
        var keys: Set<String> = []
        while !isAtEnd && column == indentation && !isAtDocumentMark {
            let start = self
            let key = try lineScalar(isFlow: false).text
            skipBlanks()
            guard isIndicator(":"), line == start.line else { throw start.error("not of the form \"setting: value\"") }
            guard keys.insert(key).inserted else {
                throw start.error("\"\(String(key.unicodeScalars.prefix(80)))\" is there twice")
            }
            position += 1
            skipBlanks()
            var value = YAMLValue.null
            if isAtLineEnd || character == "#" {
                try endLine()
                try skipToContent()
                // A list may stand as far left as its key.
                if !isAtEnd, !isAtDocumentMark, column > indentation || (column == indentation && isIndicator("-")) {
                    value =
                        column > indentation
                        ? try node(parent: indentation, depth: depth + 1, isInline: false)
                        : try list(indentation: column, depth: depth + 1)
                }
            } else {
                value = try node(parent: indentation, depth: depth + 1, isInline: true)
            }
            entries.append(YAMLEntry(key: key, value: value))
            try skipToContent()
        }
        try checkDedent(indentation)
        return .mapping(entries)
    }

    private mutating func list(indentation: Int, depth: Int) throws(YAMLError) -> YAMLValue {
        guard depth <= YAMLValue.depthLimit else { throw error("nested more than \(YAMLValue.depthLimit) deep") }
        var values: [YAMLValue] = []
        while column == indentation && isIndicator("-") && !isAtDocumentMark {
            position += 1
            let blanks = position
            skipBlanks()
            var value = YAMLValue.null
            if isAtLineEnd || character == "#" {
                try endLine()
                try skipToContent()
                if !isAtEnd, !isAtDocumentMark, column > indentation {
                    value = try node(parent: indentation, depth: depth + 1, isInline: false)
                }
            } else if bytes[blanks..<position].contains(0x09) {
                throw error("a tab in the indentation; put spaces there")
            } else {
                value = try node(parent: indentation, depth: depth + 1, isInline: false)
            }
            values.append(value)
            try skipToContent()
        }
        try checkDedent(indentation)
        return .list(values)
    }

    /// What follows a list or a mapping must not lie deeper than it.
    private func checkDedent(_ indentation: Int) throws(YAMLError) {
        guard isAtEnd || column <= indentation else { throw error("indented otherwise than what it follows") }
    }
}

extension YAMLValue {
    static let null = YAMLValue.scalar(YAMLScalar(text: "", isPlain: true))
}
