import Foundation
import Tensors
import TestSupport
import Testing
import YAML
import Yams

/// Texts made of others by chance, always the same ones.
@Suite struct `Mutated YAML` {
    private static let seeds = [
        "# settings\nscale: 4\nseed: 7 # odd\nweights: faces.h5#small\n",
        "state_dir: /srv/images\nlimits: {bytes: 1000, pixels: 2000}\nrestoration:\n  scale: 2\n  steps: 10\n",
        "a:\n- 1\n- b: 'it''s'\n  c: \"x\\n\\u0041\"\n- - 2\n  - >-\n    folded\n    text\n\nd: |+\n  kept\n\n",
        #"{"scale": 8, "steps": null, "list": [1, "two", {"three": 3}]}"#,
        "%YAML 1.1\n---\n'quoted key': \"over\n  two lines\"\nplain: over\n  two lines\n...\n",
        "a0: &a0 [x,x]\na1: &a1 [*a0,*a0]\n? *a1\n: !!int 1\n<<: *a0\n",
    ]
    private static let pieces =
        [
            "\n", "\r\n", " ", "  ", "\t", "- ", ": ", ":", "? ", "#", " #", "&a ", "*a", "!", "|", ">", "|-\n", "'",
            "\"", "\\",
        ]
        + ["[", "]", "{", "}", ",", "---\n", "...\n", "a", "é", "~", "null", "%", "@", "\u{FEFF}", "\u{85}", "\u{0}"]

    private static func mutate(_ text: String, _ random: inout RandomStream) -> [UInt8] {
        var bytes = Array(text.utf8)
        func below(_ count: Int) -> Int { Int(random.nextWord() % UInt32(max(1, count))) }
        for _ in 0...below(6) {
            let place = below(bytes.count + 1)
            let end = min(bytes.count, place + 1 + below(8))
            switch below(5) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: bytes[place..<end], at: below(bytes.count + 1))
            case 2 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.nextWord())
            default: bytes.insert(contentsOf: pieces[below(pieces.count)].utf8, at: place)
            }
        }
        return bytes
    }

    @Test(arguments: [0, 1, 2, 3]) func `ends in a value or an error, and means what another reader takes it for`(
        number: Int
    ) throws {
        var random = RandomStream(seed: UInt64(number), name: "mutated yaml")
        var (read, compared) = (0, 0)
        for round in 0..<4000 {
            let bytes = Self.mutate(Self.seeds[round % Self.seeds.count], &random)
            guard let value = try? YAMLValue(bytes) else { continue }
            read += 1
            let text = String(decoding: bytes, as: UTF8.self)
            // What ours reads has no anchors, so that the other reader needs no more time than it.
            let node: Node?
            do {
                node = try Yams.compose(yaml: text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text)
            } catch {
                // Of tabs where nothing follows in the line it makes an error.
                if text.contains("\t") { continue }
                Issue.record("only ours reads \(text.debugDescription): \(error)")
                continue
            }
            compared += 1
            #expect(Self.words(value) == node.map(Self.words), "\(text.debugDescription)")
        }
        #expect(read > 200 && compared > 200, "\(read) read, \(compared) compared")
    }

    @Test(.tags(.slow)) func `grown large takes work in proportion to its length`() throws {
        // Each would take hours with work that grows with the square of the length.
        let size = 1 << 16
        for piece in Self.pieces + [
            "a: b\n", "- a\n", "[a, ", "'a' ", "\"\\\n", "a: |\n", "a\n", " a\n", "\n ", "{a: ", "a b ",
        ] {
            let text = String(repeating: piece, count: size / piece.utf8.count)
            for opening in ["", "a: '", "a: \"", "a: |\n ", "a: [", "a: {b: ", "a: b\n "] {
                _ = try? YAMLValue(opening + text, limit: 2 * size)
            }
        }
    }

    private static func words(_ value: YAMLValue) -> String {
        switch value {
        case .scalar(let scalar): scalar.isNull ? "null" : "<\(scalar.text)>"
        case .list(let values): "[" + values.map { words($0) }.joined(separator: " ") + "]"
        case .mapping(let entries): "{" + entries.map { "\($0.key)=\(words($0.value))" }.joined(separator: " ") + "}"
        }
    }

    private static func words(_ node: Node) -> String {
        if let values = node.sequence { return "[" + values.map { words($0) }.joined(separator: " ") + "]" }
        if let entries = node.mapping {
            return "{" + entries.map { "\($0.key.string ?? "?")=\(words($0.value))" }.joined(separator: " ") + "}"
        }
        return node.null != nil ? "null" : "<\(node.scalar?.string ?? "?")>"
    }
}
