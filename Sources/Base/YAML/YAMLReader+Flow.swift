extension YAMLReader {
    /// Reads `[...]` or `{...}`, up to the position behind it.
    mutating func flow(depth: Int) throws(YAMLError) -> YAMLValue {
        guard depth <= YAMLValue.depthLimit else { throw error("nested more than \(YAMLValue.depthLimit) deep") }
        let start = self
        let isMapping = character == "{"
        position += 1
        var values: [YAMLValue] = []
        var entries: [YAMLEntry] = []
        var keys: Set<String> = []
        while true {
            try skipFlowSpace(start)
            if character == (isMapping ? "}" : "]") { break }
            if isMapping {
                let entry = try flowEntry(start, depth: depth)
                guard keys.insert(entry.key).inserted else {
                    throw error("\"\(String(entry.key.unicodeScalars.prefix(80)))\" is there twice")
                }
                entries.append(entry)
            } else {
                values.append(try flowValue(depth: depth))
            }
            try skipFlowSpace(start)
            if character == "," {
                position += 1
            } else if character != (isMapping ? "}" : "]") {
                throw error("neither a comma nor the end of \(isMapping ? "{" : "[")")
            }
        }
        position += 1
        return isMapping ? .mapping(entries) : .list(values)
    }

    private mutating func flowEntry(_ start: YAMLReader, depth: Int) throws(YAMLError) -> YAMLEntry {
        let beginning = self
        if character == "[" || character == "{" { throw error("a key must be a word, not a list or a mapping") }
        let key = try flowScalar()
        let end = (line: line, isQuoted: !key.isPlain)
        try skipFlowSpace(start)
        // Behind a key in quotes, as JSON has them, there need not be a space.
        guard character == ":", end.isQuoted || isSpace(byte(1)) || isFlowIndicator(byte(1)) else {
            return YAMLEntry(key: key.text, value: .null)
        }
        guard beginning.line == line else { throw beginning.error("a key must stand in one line") }
        position += 1
        try skipFlowSpace(start)
        let value: YAMLValue = character == "," || character == "}" ? .null : try flowValue(depth: depth)
        return YAMLEntry(key: key.text, value: value)
    }

    private mutating func flowValue(depth: Int) throws(YAMLError) -> YAMLValue {
        if character == "[" || character == "{" { return try flow(depth: depth + 1) }
        return .scalar(try flowScalar())
    }

    /// A scalar within brackets, which may go on over several lines.
    private mutating func flowScalar() throws(YAMLError) -> YAMLScalar {
        let scalar = try lineScalar(isFlow: true)
        guard scalar.isPlain else { return scalar }
        var text = scalar.text
        while true {
            let end = self
            skipBlanks()
            guard isAtLineEnd, !isAtEnd else {
                self = end
                return YAMLScalar(text: text, isPlain: true)
            }
            let breaks = skipFold()
            guard !isAtEnd, character != "#", !isAtDocumentMark, character != ":", !isFlowIndicator(byte()) else {
                self = end
                return YAMLScalar(text: text, isPlain: true)
            }
            text += Self.fold(breaks) + (try plainLine(isFlow: true))
        }
    }

    /// Skips blanks, lines and comments within brackets.
    private mutating func skipFlowSpace(_ start: YAMLReader) throws(YAMLError) {
        while true {
            let before = position
            skipBlanks()
            if character == "#", position > before || column == 0 { while !isAtLineEnd { position += 1 } }
            if isAtEnd { throw start.error("\(start.character == "{" ? "{" : "[") is never closed") }
            guard isAtLineEnd else { break }
            skipBreak()
            if isAtDocumentMark { throw start.error("\(start.character == "{" ? "{" : "[") is never closed") }
        }
    }
}
