import Failures
package import SystemPackage

/// Names of results, made from names that strangers gave: readable, and safe as one path component.
package enum ResultName {
    /// The longest name, in bytes of UTF-8, leaving room for a number within the 255 that file systems allow.
    package static let maximumLength = 200

    /// The result's name for a dropped file that is called so from the inbox on: `cat` for "cat.png", `holiday-cat` for
    /// "holiday/cat.png".
    package static func make(fromText text: String) -> String {
        let parts = text.split(separator: "/", maxSplits: 1).compactMap { FilePath.Component(String($0)) }
            .filter { $0.kind == .regular }
        guard let name = parts.last else { return "image" }
        guard parts.count == 2 else { return make(from: name) }
        let folder = shortened(make(safe: parts[0].string), to: maximumFolderLength)
        return shortened("\(folder)-\(make(from: name))", to: maximumLength)
    }

    /// The most that a folder's name may take of a result's, in bytes.
    private static let maximumFolderLength = 80

    private static func shortened(_ text: String, to length: Int) -> String {
        var result = ""
        for character in text {
            if result.utf8.count + String(character).utf8.count > length { break }
            result.append(character)
        }
        return result
    }

    /// The result's name for a dropped file: its name without the extension, with everything that could hurt replaced.
    ///
    /// Control characters, slashes, quotes, backslashes and bytes that are no UTF-8 become "_"; leading dots and dashes
    /// too, so that a result is neither hidden nor taken for an option; and it is never empty.
    package static func make(from name: FilePath.Component) -> String {
        make(safe: name.stem.isEmpty ? name.string : name.stem)
    }

    private static func make(safe text: String) -> String {
        var result = shortened(
            String(text.map { $0.unicodeScalars.allSatisfy(isSafe) ? $0 : "_" }), to: maximumLength)
        while let first = result.first, first == "." || first == "-" || first == " " {
            result.removeFirst()
            result = "_" + result
        }
        while result.last == " " { result.removeLast() }
        return result.isEmpty ? "image" : result
    }

    /// The n-th name to try: `cat`, `cat-2`, `cat-3`, ...
    package static func numbered(_ name: String, _ number: Int) -> String {
        number == 1 ? name : "\(name)-\(number)"
    }

    /// The joiner of emoji is kept, as it is part of how they look.
    private static func isSafe(_ scalar: Unicode.Scalar) -> Bool {
        (PrintableText.isPlain(scalar) || scalar == "\u{200D}") && !"/\\\"'`\u{FFFD}".unicodeScalars.contains(scalar)
    }
}
