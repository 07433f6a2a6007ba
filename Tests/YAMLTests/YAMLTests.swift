import Testing
import YAML

@Suite struct `YAML of settings` {
    /// A value in one line: mappings in braces, lists in brackets, scalars in angle brackets, null as "null".
    private static func words(_ value: YAMLValue?) -> String {
        switch value {
        case nil: "null"
        case .scalar(let scalar): scalar.isNull ? "null" : "<\(scalar.text)>"
        case .list(let values): "[" + values.map { words($0) }.joined(separator: " ") + "]"
        case .mapping(let entries): "{" + entries.map { "\($0.key)=\(words($0.value))" }.joined(separator: " ") + "}"
        }
    }

    @Test(arguments: [
        ("", "null"), ("# nothing\n\n", "null"), ("~", "null"), ("---\n", "null"), ("---\n...\n", "null"),
        ("scale: 4", "{scale=<4>}"), ("scale:   4   # four\n# more\nseed: 7\n", "{scale=<4> seed=<7>}"),
        ("scale: 4\r\nseed: 7\r\n", "{scale=<4> seed=<7>}"), ("\u{FEFF}scale: 4\n", "{scale=<4>}"),
        ("%YAML 1.1\n---\nscale: 4\n...\n", "{scale=<4>}"), ("--- {a: b}\n", "{a=<b>}"),
        ("a:\n  b: 1\n  c:\n    d: 2\ne: 3", "{a={b=<1> c={d=<2>}} e=<3>}"),
        ("a:\nb: ~\nc: null", "{a=null b=null c=null}"),
        ("a:\n- 1\n- 2\nb: 3", "{a=[<1> <2>] b=<3>}"),
        ("a:\n  - b: 1\n    c: 2\n  - - 3\n    - 4", "{a=[{b=<1> c=<2>} [<3> <4>]]}"),
        (#"{"scale": 8, "steps": null, "a": [1, "x\u0041"]}"#, "{scale=<8> steps=null a=[<1> <xA>]}"),
        (#"{"a":1,"b":{"c":"d"}}"#, "{a=<1> b={c=<d>}}"),
        ("{a: 1,\n # more\n b: two\n words, c}", "{a=<1> b=<two words> c=null}"),
        ("[]", "[]"), ("{}", "{}"), ("[a, b,]", "[<a> <b>]"),
        ("a: 'it''s & *x'", "{a=<it's & *x>}"), (#"a: "&b *c # \"d\" \n""#, "{a=<&b *c # \"d\" \n>}"),
        ("a: R&D *2 &x", "{a=<R&D *2 &x>}"), ("a: b#c", "{a=<b#c>}"), ("a: http://x", "{a=<http://x>}"),
        ("a: 'one\n  two\n\n  three'", "{a=<one two\nthree>}"),
        ("a: one\n  two\n\n  three\nb: 1", "{a=<one two\nthree> b=<1>}"),
        ("a: \"one\\\n   two\"", "{a=<onetwo>}"), ("'a b': c", "{a b=<c>}"), ("a : b", "{a=<b>}"),
        ("a: |\n  &x *y\n  two\nb: 1", "{a=<&x *y\ntwo\n> b=<1>}"),
        ("a: >-\n  one\n  two\n\n  three\n", "{a=<one two\nthree>}"),
        ("a: |+\n  one\n\nb: 1", "{a=<one\n\n> b=<1>}"), ("a: |2-\n   one\n  two", "{a=< one\ntwo>}"),
        ("a: ''", "{a=<>}"),
        ("a: 'null'", "{a=<null>}"), ("a: -1", "{a=<-1>}"), ("a: ?b", "{a=<?b>}"), ("just text", "<just text>"),
        ("a:\tb", "{a=<b>}"),
    ]) func `is read as it is written`(text: String, expected: String) throws {
        #expect(Self.words(try YAMLValue(text)) == expected)
    }

    @Test(arguments: [
        ("a: &x 1", "anchors"), ("a: *x", "anchors"), ("*x : 1", "anchors"), ("&x a: 1", "anchors"),
        ("[&x a]", "anchors"),
        ("{a: *x}", "anchors"), ("'a': &x", "anchors"), ("? *x\n: 1", "?"), ("? a\n: 1", "?"), ("{? a : 1}", "?"),
        ("[a]: 1", "a key must be a word"), ("{a: 1}: 2", "a key must be a word"), ("{[a]: 1}", "a key must be a word"),
        ("a: !!int 4", "tags"), ("!x", "tags"), ("%TAG ! x\n---\na: 1", "directives"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: 1\na: 2", "twice"), ("{a: 1, a: 2}", "twice"), ("a: b: c", "second \":\""), ("a: [", "never closed"),
        ("a: {b", "never closed"), ("a: 'b", "never closed"), ("a: \"b", "never closed"), ("a: \"\\q\"", "escape"),
        ("a: \"\\u00zz\"", "escape"), ("a: \"\\0\"", "escape"), ("a: \"\\uD800\"", "escape"), ("a: 'b' c", "left over"),
        ("a: [b] c", "left over"), ("\ta: 1", "tab"), ("a:\n\tb: 1", "tab"), ("a:\n  b: 1\n c: 2", "indented"),
        (" a: 1\nb: 2", "indented"), ("a: 1\nb", "not of the form"), ("a: @b", "quotes"), ("a: \u{0}", "control"),
        ("a: \u{85}", "control"), ("a: \u{2028}", "control"), ("a: - b", "list"), ("[a b: c]", "comma"),
    ]) func `that is none, or more than settings need, is refused with its place`(text: String, word: String) {
        let error = #expect(throws: YAMLError.self) { try YAMLValue(text) }
        #expect(error?.message.contains(word) == true, "\(String(describing: error))")
        #expect(error?.message.hasPrefix("line ") == true)
    }

    @Test func `in another encoding than UTF-8 is refused by name`() {
        for order in [[0xFF, 0xFE], [0xFE, 0xFF], []] as [[UInt8]] {
            let error = #expect(throws: YAMLError.self) {
                try YAMLValue(order + "scale: 2".utf8.flatMap { order.first == 0xFE ? [0, $0] : [$0, 0] })
            }
            #expect(error?.message.contains("UTF-16") == true)
        }
        let error = #expect(throws: YAMLError.self) { try YAMLValue([0x61, 0x3A, 0x20, 0xE9]) }
        #expect(error?.message.contains("UTF-8") == true)
    }

    @Test func `that would take more than its length is refused at once`() throws {
        var bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        for level in 1...11 {
            bomb +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
        }
        #expect(throws: YAMLError.self) { try YAMLValue(bomb + "? *a11\n: 1\n") }
        let depths = [
            String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 100_000),
            String(repeating: "- ", count: 100_000),
            (0..<1000).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        ]
        for text in depths {
            let error = #expect(throws: YAMLError.self) { try YAMLValue(text) }
            #expect(error?.message.contains("deep") == true, "\(String(describing: error))")
        }
        let error = #expect(throws: YAMLError.self) {
            try YAMLValue("a: " + String(repeating: "x", count: 100), limit: 100)
        }
        #expect(error?.message == "larger than 100 bytes")
        let many = (0..<20_000).map { "key\($0): '\($0)'\n" }.joined()
        #expect(try YAMLValue(many)?.mapping?.count == 20_000)
    }
}
