import Failures
package import Files
import Foundation
import Glibc
package import Jobs
package import SystemPackage

/// Puts images into the inbox from outside the daemon, so that it meets each one whole, and its settings before it.
package struct Submission {
    private let folder: StateFolder
    private let files: any FileSystem

    package init(_ folder: StateFolder, files: any FileSystem = LocalFileSystem()) {
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
    /// - Throws: ``RestorationError``, ``FileError`` or ``FileError``; nothing is left in the inbox then.
    package func submit(_ file: String, settings: String?) throws -> FilePath {
        let name = TextPath.name(of: file)
        if let component = FilePath.Component(name) { try Self.check(component) }
        _ = Leftovers(folder, files: files).remove()
        let copy = try stage()
        do {
            try LocalFileSystem().readChunks(file) { try copy.write($0) }
            try copy.complete()
            return try drop(copy.path, as: name, settings: settings)
        } catch {
            try? files.removeFile(copy.path)
            throw error
        }
    }

    /// Renames a whole file into the inbox, its settings first.
    ///
    /// Killed anywhere, it leaves the file where it was or in the inbox, and at most settings that name that very file
    /// (see ``ImageBinding``), which hold for no other and stand in nobody's way.
    /// - Parameter path: a file on the inbox's file system.
    package func drop(_ path: FilePath, as name: String, settings: String?) throws -> FilePath {
        guard let component = FilePath.Component(name) else {
            throw RestorationError(.usage, "\(PrintableText.line(name)): no name of a file")
        }
        try Self.check(component)
        guard let settings else { return try place(path, as: component, nil) }
        guard let status = try files.status(path) else {
            throw FileError(.noSuchFileOrDirectory, "put it into the inbox", path, .reading)
        }
        let side = try stage()
        do {
            try side.write(Array((ImageBinding.line(for: status) + settings).utf8)[...])
            try side.complete()
            return try place(path, as: component, side)
        } catch {
            if side.isInPlace { try? files.removeFile(side.path) }
            throw error
        }
    }

    private func place(_ path: FilePath, as name: FilePath.Component, _ side: StagedFile?) throws -> FilePath {
        let staged = side?.path
        var number = 1
        while true {
            let component = try Self.numbered(name, number)
            let place = folder.inbox.appending(component)
            if let side, let staged {
                guard try files.status(place) == nil, try !hasOtherSettings(component),
                    try put(side, at: FilePath(place.string + ".yaml"), of: place)
                else {
                    number += 1
                    continue
                }
                if try rename(path, to: place) { return place }
                // Another image has come under that name: the settings are not to lie beside it.
                try files.renameExclusively(side.path, to: staged)
                side.path = staged
            } else if try rename(path, to: place) {
                return place
            }
            number += 1
        }
    }

    /// Whether something lies in the inbox that could be taken for the settings of an image of that name, besides those
    /// that are about to be put there.
    private func hasOtherSettings(_ name: FilePath.Component) throws(FileError) -> Bool {
        switch try SideFile.choose(for: InboxItem(name), in: folder.inbox, files) {
        case .none: false
        case .one(let side): side != Claim.settingsName(of: name)
        case .unclear: true
        }
    }

    /// Renames the settings to their place, which is taken from settings that were left there without their image.
    /// - Returns: false if others are there.
    private func put(_ side: StagedFile, at place: FilePath, of image: FilePath) throws(FileError) -> Bool {
        if try !rename(side.path, to: place) {
            guard try Leftovers(folder, files: files).removeSettings(place, of: image),
                try rename(side.path, to: place)
            else { return false }
        }
        side.path = place
        return true
    }

    /// - Returns: false if the name is taken.
    private func rename(_ path: FilePath, to place: FilePath) throws(FileError) -> Bool {
        do throws(FileError) {
            try files.renameExclusively(path, to: place)
        } catch {
            guard error.isTaken else { throw error }
            return false
        }
        try files.synchronise(folder.inbox)
        return true
    }

    /// A new file in the inbox that the daemon can read.
    private func stage() throws -> StagedFile {
        let staged = try files.stage(in: folder.inbox)
        guard let state = try files.status(folder.jobs) else { return staged }
        let daemon = UserAccount(state.owner)
        guard staged.permit(daemon, in: daemon.groups.union([state.group])) else {
            try? files.removeFile(staged.path)
            let group = Self.groupName(state.group)
            throw RestorationError(
                .cannotCreate,
                "\(folder.inbox.readable): the daemon, which runs as \(daemon.name), could not read what is put here, as "
                    + "it does not get the group \(group)",
                remedy: "chgrp \(group) and chmod g+s that folder")
        }
        return staged
    }

    private static func groupName(_ number: UInt32) -> String {
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 65_536)
        guard getgrgid_r(number, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return "\(number)" }
        return String(cString: entry.gr_name)
    }

    private static func check(_ name: FilePath.Component) throws(RestorationError) {
        guard InboxRules.kind(of: name) == .work || name.kind != .regular else {
            throw RestorationError(
                .usage, "\(PrintableText.line(name.string)): the daemon leaves files of such names alone",
                remedy: "rename it first")
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
