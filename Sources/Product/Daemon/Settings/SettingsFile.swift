import Files
import Jobs
package import SystemPackage
import YAML

/// The values in a settings file, as text, every name a known one that is given once.
package struct SettingsFile: Sendable {
    /// The file's name in errors.
    let source: String
    /// What it sets; the empty text stands for null.
    let values: [SettingName: String]

    /// Reads a file of at most 1 MiB.
    package init(_ path: FilePath) throws(DaemonError) {
        let bytes: [UInt8]
        do {
            bytes = try LocalFileSystem().read(path, limit: YAMLValue.sizeLimit + 1)
        } catch {
            throw DaemonError(.settings, "\(error)")
        }
        try self.init(bytes, source: path.readable)
    }

    /// Parses YAML text.
    package init(yaml text: String, source: String) throws(DaemonError) {
        try self.init(Array(text.utf8), source: source)
    }

    private init(_ bytes: [UInt8], source: String) throws(DaemonError) {
        self.source = source
        let root: YAMLValue?
        do {
            root = try YAMLValue(bytes)
        } catch {
            throw DaemonError(.settings, "\(source): not readable as YAML: \(error)")
        }
        var values: [SettingName: String] = [:]
        let names = Dictionary(uniqueKeysWithValues: SettingName.all.map { ($0.path, $0) })
        let sections = Set(names.keys.filter { $0.count > 1 }.map { $0[0] })

        func read(_ value: YAMLValue, section: [String]) throws(DaemonError) {
            let place = ([source] + section).joined(separator: ", ")
            guard let mapping = value.mapping else {
                throw DaemonError(.settings, "\(place): not a list of \"setting: value\" lines")
            }
            for entry in mapping {
                let path = section + [entry.key]
                if section.isEmpty, sections.contains(path[0]) {
                    if !entry.value.isNull { try read(entry.value, section: path) }
                } else if let name = names[path] {
                    values[name] = try Self.text(of: entry.value, name, place)
                } else {
                    let known = names.keys.filter { $0.starts(with: section) }.map { $0[section.count] }
                    throw DaemonError(
                        .settings,
                        "\(place): unknown setting \"\(Spelling.excerpt(entry.key))\"; known settings: "
                            + Set(known).sorted().joined(separator: ", "))
                }
            }
        }
        if let root { try read(root, section: []) }
        self.values = values
    }

    /// Only a bare null unsets: an empty string in quotes is a value like any other, and a wrong one.
    private static func text(of value: YAMLValue, _ name: SettingName, _ source: String) throws(DaemonError) -> String {
        guard let scalar = value.scalar, scalar.isNull ? name.isOptional : !scalar.text.isEmpty else {
            throw name.invalid(value.words, source: source)
        }
        return scalar.isNull ? "" : scalar.text
    }
}
