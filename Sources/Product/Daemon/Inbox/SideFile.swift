import Failures
package import Files
import Glibc
package import SystemPackage

/// The file with one image's own settings, which lies beside it: what names it may have, and which one is meant.
///
/// `x.png.yaml` for `x.png`, or `x.yaml` where no other image could be meant; `.yml` and capitals do as well.
package enum SideFile {
    /// What lies beside an image.
    package enum Choice: Sendable, Equatable {
        /// No settings of its own.
        case none
        /// A file of settings.
        case one(FilePath.Component)
        /// Something that cannot be taken for settings without guessing: a sentence.
        case unclear(String)
    }

    /// What one image's settings may be called.
    ///
    /// - Returns: the names made of the image's whole name, and those made of its stem.
    package static func names(of image: FilePath.Component) -> (whole: [FilePath.Component], stem: [FilePath.Component])
    {
        let whole = endings.compactMap { name(bytes(of: image), $0) }
        guard let stem = stem(of: image) else { return (whole, []) }
        return (whole, endings.compactMap { name(stem, $0) })
    }

    /// The first of the names: the image's with `.yaml` behind it; nil if no file can have it, being too long.
    package static func name(of image: FilePath.Component) -> FilePath.Component? { name(bytes(of: image), ".yaml") }

    /// The image's name, or stem, that a file of settings is called after; nil for other files.
    package static func base(of settings: FilePath.Component) -> FilePath.Component? {
        let bytes = bytes(of: settings)
        guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return nil }
        let ending = String(decoding: bytes[dot...], as: UTF8.self).lowercased()
        return plainEndings.contains(ending) ? name(Array(bytes[..<dot]), "") : nil
    }

    /// What is before the ending of an image's name, as a name; nil if it has none, or if what is before is called as an
    /// image is: settings of that name are that image's.
    package static func stemName(of image: FilePath.Component) -> FilePath.Component? {
        stem(of: image).flatMap { name($0, "") }
    }

    /// The files of settings in a directory by what they are called after: for many images, where asking the file system
    /// for every name that each may have would take long.
    package struct Listing: Sendable {
        private let names: [FilePath.Component: [FilePath.Component]]

        /// - Parameter entries: the directory's.
        package init(_ entries: [FilePath.Component]) {
            let settings = entries.filter { InboxRules.kind(of: $0) == .settings }
            names = Dictionary(grouping: settings.filter { base(of: $0) != nil }) { base(of: $0) ?? $0 }
        }

        /// What there is of the names that one image's settings may have.
        fileprivate func names(
            of image: FilePath.Component
        ) -> (whole: [FilePath.Component], stem: [FilePath.Component]) {
            (names[image] ?? [], stemName(of: image).flatMap { names[$0] } ?? [])
        }
    }

    /// Which of the files beside an image are its settings.
    ///
    /// - Parameter listing: of `place`, where it has been listed just now.
    package static func choose(
        for item: InboxItem, in place: FilePath, _ files: some FileSystem, among listing: Listing? = nil
    ) throws(FileError) -> Choice {
        let (whole, stem) = listing?.names(of: item.name) ?? names(of: item.name)
        let shared = item.folder == nil ? [] : folderNames
        var found: [(name: FilePath.Component, kind: FileStatus.Kind)] = []
        for name in whole + stem where !shared.contains(name) {
            if let status = try files.status(place.appending(name)) { found.append((name, status.kind)) }
        }
        guard let first = found.first else { return .none }
        func text(_ name: FilePath.Component) -> String { PrintableText.line(InboxItem(name, in: item.folder).text) }
        guard found.count == 1 else {
            let names = found.map { text($0.name) }.joined(separator: " and ")
            return .unclear("\(names) could both be meant as its settings; keep one of them")
        }
        guard first.kind == .regular else {
            return .unclear("\(text(first.name)), where its settings would be, is a \(first.kind.rawValue), not a file")
        }
        guard !whole.contains(first.name) else { return .one(first.name) }
        let others = try files.entries(place).filter { other in
            other != item.name && InboxRules.kind(of: other) == .work
                && (other == base(of: first.name) || stemName(of: other) == base(of: first.name))
        }
        guard let other = others.first else { return .one(first.name) }
        let clear = name(of: item.name).map(text) ?? "a name of its own"
        return .unclear("\(text(first.name)) could be meant for it or for \(text(other)); call it \(clear)")
    }

    /// The names that a sub-folder's settings may have.
    package static let folderNames: [FilePath.Component] = endings.compactMap { name(Array("dkp".utf8), $0) }

    /// A sub-folder's settings.
    package static func chooseShared(
        in folder: FilePath, _ files: some FileSystem
    ) throws(FileError) -> Choice {
        var found: [FilePath.Component] = []
        for name in folderNames {
            if let status = try files.status(folder.appending(name)), status.kind == .regular { found.append(name) }
        }
        guard let first = found.first else { return .none }
        guard found.count == 1 else {
            let names = found.map(\.string).joined(separator: " and ")
            return .unclear("it holds \(names); keep one of them")
        }
        return .one(first)
    }

    /// ".yaml" and ".yml", each in every mixture of small letters and capitals, the usual ones first.
    private static let endings: [String] = plainEndings.flatMap { ending in
        ending.reduce([""]) { texts, letter in
            let capital = letter.uppercased()
            return texts.map { $0 + String(letter) } + (capital == String(letter) ? [] : texts.map { $0 + capital })
        }
    }

    private static let plainEndings = [".yaml", ".yml"]

    private static let imageEndings = ["png", "jpg", "jpeg", "tif", "tiff"]

    private static func stem(of image: FilePath.Component) -> [UInt8]? {
        let bytes = bytes(of: image)
        guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return nil }
        let stem = bytes[..<dot]
        if let inner = stem.lastIndex(of: UInt8(ascii: ".")), inner > 0 {
            let ending = String(decoding: stem[(inner + 1)...], as: UTF8.self).lowercased()
            if imageEndings.contains(ending) { return nil }
        }
        return Array(stem)
    }

    /// Bytes, as a name need not be text.
    private static func bytes(of name: FilePath.Component) -> [UInt8] {
        name.withPlatformString { pointer in
            UnsafeBufferPointer(start: pointer, count: strlen(pointer)).map { UInt8(bitPattern: $0) }
        }
    }

    private static func name(_ bytes: [UInt8], _ ending: String) -> FilePath.Component? {
        let bytes = (bytes + Array(ending.utf8)).map { CChar(bitPattern: $0) }
        guard bytes.count <= 255 else { return nil }
        return (bytes + [0]).withUnsafeBufferPointer { buffer in
            buffer.baseAddress.flatMap { FilePath.Component(platformString: $0) }
        }
    }
}
