import Foundation
import Glibc
import Restoration
import SystemPackage

/// Puts images into the inbox from outside the daemon, so that it meets each one whole, and its settings before it.
package struct Submission {
    private let folder: StateFolder
    private let files: any StateFileSystem

    package init(_ folder: StateFolder, files: any StateFileSystem = LocalFileSystem()) {
        self.folder = folder
        self.files = files
    }

    /// Checks settings as the daemon will, and gives them as the text of a side file.
    /// - Throws: ``SettingsError``.
    package static func settingsText(
        _ settings: [(key: String, value: String)], source: String
    ) throws(SettingsError) -> String {
        var text = ""
        for (key, value) in settings {
            var trial = ImageSettings()
            try trial.set(key, to: value, source: source)
            text += "\(key): \(value.isEmpty ? "null" : value)\n"
        }
        try check(text, source: source)
        return text
    }

    /// Checks the text of a side file as the daemon will.
    /// - Throws: ``SettingsError``.
    package static func check(_ text: String, source: String) throws(SettingsError) {
        var settings = ImageSettings()
        try settings.apply(Array(text.utf8), source: source)
    }

    /// "key=value" as a pair.
    /// - Throws: ``SettingsError``.
    package static func pair(_ text: String, source: String) throws(SettingsError) -> (key: String, value: String) {
        guard let equals = text.firstIndex(of: "=") else {
            throw SettingsError.malformed("\"\(text)\" is not of the form key=value", source: source)
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    /// Copies an image into the inbox, under its own name or the first free one after it.
    /// - Parameter settings: the text of its side file; nil for none.
    /// - Returns: its place there, which it leaves when the daemon takes it.
    /// - Throws: ``RestorationError``, ``FileSystemError`` or ``FileError``; nothing is left in the inbox then.
    package func submit(_ file: String, settings: String?) throws -> FilePath {
        let name = (file as NSString).lastPathComponent
        let temporary = folder.inbox.appending(".dkp-submit-\(getpid())-\(UInt32.random(in: .min ... .max))")
        do {
            let writer = try FileWriter(creating: temporary.string)
            try FileSystem.readChunks(file) { try writer.write($0) }
            try writer.synchronise()
            return try drop(temporary, as: name, settings: settings)
        } catch {
            try? files.removeFile(temporary)
            throw error
        }
    }

    /// Renames a whole file into the inbox, its settings first.
    /// - Parameter path: a file on the inbox's file system.
    package func drop(_ path: FilePath, as name: String, settings: String?) throws -> FilePath {
        guard let component = FilePath.Component(name), InboxRules.kind(of: component) == .work else {
            throw RestorationError(
                .usage, "\(name): the daemon leaves files of such names alone", remedy: "rename it first")
        }
        var number = 0
        while true {
            number += 1
            let name = try Self.numbered(component, number)
            let place = folder.inbox.appending(name)
            do throws(FileError) {
                guard let settings else {
                    try files.renameExclusively(path, to: place)
                    try files.synchronise(folder.inbox)
                    return place
                }
                let side = FilePath(place.string + ".yaml")
                if try files.status(place) != nil { continue }
                // Whatever lies there could be taken for its settings.
                if try SideFile.choose(for: InboxItem(name), in: folder.inbox, files) != .none { continue }
                let made = FilePath(path.string + ".yaml")
                try files.write(Array(settings.utf8), to: made)
                do throws(FileError) {
                    try files.renameExclusively(made, to: side)
                } catch {
                    try files.removeFile(made)
                    throw error
                }
                do throws(FileError) {
                    try files.renameExclusively(path, to: place)
                } catch {
                    try files.removeFile(side)
                    throw error
                }
                try files.synchronise(folder.inbox)
                return place
            } catch {
                guard error.code == .fileExists else { throw error }
            }
        }
    }

    /// The n-th name to try: "cat.png", "cat-2.png", "cat-3.png", ...
    private static func numbered(_ name: FilePath.Component, _ number: Int) throws -> FilePath.Component {
        if number == 1 { return name }
        let text = "\(name.stem)-\(number)" + (name.extension.map { ".\($0)" } ?? "")
        guard let component = FilePath.Component(text), text.utf8.count <= 255, number < 100_000 else {
            throw RestorationError(.cannotCreate, "\(name.string): the inbox holds too many files of that name")
        }
        return component
    }
}
