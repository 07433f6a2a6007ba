import Failures
import Foundation
import Restoration
import Testing

@Suite struct `Printable text` {
    /// What must never reach a terminal from a name or a log: C0, DEL, C1, bidirectional controls, separators of lines and
    /// paragraphs, what is invisible.
    private static func isDangerous(_ value: UInt32) -> Bool {
        switch value {
        case 0...0x1F, 0x7F...0x9F, 0xAD, 0x61C, 0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
            0xFFF9...0xFFFB, 0xE0000...0xE0FFF:
            true
        default: false
        }
    }

    private static let scalars = (0...0x10FFFF as ClosedRange<UInt32>).compactMap { Unicode.Scalar($0) }

    /// All scalars, as texts of 4096 each.
    private static let texts = stride(from: 0, to: scalars.count, by: 4096).map { start in
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars[start..<min(start + 4096, scalars.count)])
        return text
    }

    @Test func `holds nothing that steers a terminal or hides, whatever scalar went in`() {
        var kept = 0
        for text in Self.texts {
            let line = PrintableText.line(text).unicodeScalars
            #expect(!line.contains { Self.isDangerous($0.value) })
            kept += line.count { $0.value > 0x7F }
            let others = [PrintableText.lines(text), PrintableText.json(text)]
            #expect(!others.joined().unicodeScalars.contains { Self.isDangerous($0.value) && $0 != "\n" && $0 != "\t" })
        }
        #expect(kept > 100_000, "letters, signs and emoji are shown as they are")
    }

    @Test func `as a line has no line feed and no tab, as lines keeps both`() {
        #expect(PrintableText.line("a\n\tb\r") == #"a\n\tb\r"#)
        #expect(PrintableText.lines("a\n\tb\r\u{1B}[2J\n") == "a\n\tb" + #"\r\u{1B}[2J"# + "\n")
    }

    @Test(arguments: [
        "cat.png", "Zürich – 東京.png", "photo 🐈.jpg", "e\u{301}", "\u{2764}\u{FE0F}", "שלום", "a\\b \"c\"",
    ])
    func `leaves what is plain as it is`(_ text: String) {
        #expect(PrintableText.line(text) == text)
        #expect(PrintableText.json(text) == text)
    }

    @Test(arguments: [
        ("\u{1B}]0;x\u{7}", #"\u{1B}]0;x\u{07}"#), ("\u{9B}31m", #"\u{9B}31m"#), ("\u{202E}gnp", #"\u{202E}gnp"#),
        ("\u{E0041}", #"\u{E0041}"#), ("a\u{2028}b", #"a\u{2028}b"#),
    ]) func `names what it replaces`(_ text: String, _ expected: String) {
        #expect(PrintableText.line(text) == expected)
    }

    @Test func `as JSON decodes to the same value, for every scalar`() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted]
        for text in Self.texts {
            let json = PrintableText.json(String(decoding: try encoder.encode([text]), as: UTF8.self))
            let decoded = try #require(try JSONDecoder().decode([String].self, from: Data(json.utf8)).first)
            #expect(decoded.unicodeScalars.elementsEqual(text.unicodeScalars))
        }
    }

    @Test func `of a stream is the same wherever it is cut`() {
        let bytes = Array("ü\u{1B}[1m 東 🐈 \u{202E}x\n".utf8) + [0xFF, 0xC3, 0x28, 0xE2, 0x82]
        let whole = PrintableText.lines(String(decoding: bytes, as: UTF8.self))
        for cut in 0...bytes.count {
            for second in cut...bytes.count {
                var stream = PrintableStream()
                var text = stream.take(bytes[..<cut]) + stream.take(bytes[cut..<second])
                text += stream.take(bytes[second...]) + stream.finish()
                #expect(text == whole)
            }
        }
    }
}
