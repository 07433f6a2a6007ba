import SystemPackage
import Yams

/// The values in a settings file, as text, every name a known one that is given once.
package struct SettingsFile: Sendable {
    /// The file's name in errors.
    let source: String
    /// What it sets; the empty text stands for null.
    let values: [SettingName: String]

    private static let sizeLimit = 1 << 20

    /// Reads a file of at most 1 MiB.
    package init(_ path: FilePath) throws(DaemonError) {
        let bytes: [UInt8]
        do {
            bytes = try LocalFileSystem().read(path, limit: Self.sizeLimit + 1)
        } catch {
            throw DaemonError(.settings, "\(error)")
        }
        guard bytes.count <= Self.sizeLimit, let text = String(validating: bytes, as: UTF8.self) else {
            throw DaemonError(
                .settings, "\(path.readable): not a text in UTF-8 of at most \(Self.sizeLimit) bytes")
        }
        try self.init(yaml: text, source: path.readable)
    }

    /// Parses YAML text.
    package init(yaml text: String, source: String) throws(DaemonError) {
        self.source = source
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw DaemonError(.settings, "\(source): not readable as YAML: \(error)")
        }
        var values: [SettingName: String] = [:]
        let names = Dictionary(uniqueKeysWithValues: SettingName.all.map { ($0.path, $0) })
        let sections = Set(names.keys.filter { $0.count > 1 }.map { $0[0] })

        func read(_ node: Node, section: [String]) throws(DaemonError) {
            let place = ([source] + section).joined(separator: ", ")
            guard let mapping = node.mapping else {
                throw DaemonError(.settings, "\(place): not a list of \"setting: value\" lines")
            }
            for (key, value) in mapping {
                let path = section + [key.string ?? "?"]
                if section.isEmpty, sections.contains(path[0]) {
                    if value.null == nil { try read(value, section: path) }
                } else if let name = names[path] {
                    values[name] = try Self.text(of: value, name, place)
                } else {
                    let known = names.keys.filter { $0.starts(with: section) }.map { $0[section.count] }
                    throw DaemonError(
                        .settings,
                        "\(place): unknown setting \"\(path[section.count])\"; known settings: "
                            + Set(known).sorted().joined(separator: ", "))
                }
            }
        }
        if let root, root.null == nil { try read(root, section: []) }
        self.values = values
    }

    /// Only a bare null unsets: an empty string in quotes is a value like any other, and a wrong one.
    private static func text(of node: Node, _ name: SettingName, _ source: String) throws(DaemonError) -> String {
        guard let scalar = node.scalar else {
            throw name.invalid(node.sequence == nil ? "a mapping" : "a list", source: source)
        }
        if node.null != nil {
            guard name.isOptional else { throw name.invalid("null", source: source) }
            return ""
        }
        guard !scalar.string.isEmpty else { throw name.invalid("", source: source) }
        return scalar.string
    }
}
