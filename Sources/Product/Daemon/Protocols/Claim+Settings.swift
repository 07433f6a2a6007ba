import Failures
import Files
import Jobs
package import SystemPackage

/// Names in a claim's directory besides those that a job's has too.
enum ClaimFiles {
    /// The settings of the sub-folder that the file lay in.
    static let folderSettings = "folder.yaml"
    /// A directory whose one entry, a directory too, has the name of that sub-folder.
    static let origin = "folder"
    /// A directory whose one entry, a directory too, has the name that the file with its own settings had.
    static let side = "side"
    /// Why the settings beside the file cannot be taken without guessing: a sentence.
    static let unclear = "unclear.txt"
}

extension Claim {
    /// The usual name of the file with one image's own settings; nil if no file can have it, being too long.
    package static func settingsName(of name: FilePath.Component) -> FilePath.Component? { SideFile.name(of: name) }

    /// Writes down which sub-folder a file is taken from.
    func keepOrigin(of item: InboxItem, in claim: FilePath) throws(FileError) {
        guard let name = item.folder else { return }
        try keepName(name, in: claim.appending(ClaimFiles.origin))
    }

    /// The sub-folder that a claimed file was taken from.
    func origin(of claim: FilePath) throws(FileError) -> FilePath.Component? {
        try keptName(in: claim.appending(ClaimFiles.origin))
    }

    private func keepName(_ name: FilePath.Component, in directory: FilePath) throws(FileError) {
        try files.makeDirectory(directory)
        try files.makeDirectory(directory.appending(name))
        try files.synchronise(directory)
    }

    private func keptName(in directory: FilePath) throws(FileError) -> FilePath.Component? {
        try files.status(directory) == nil ? nil : try files.entries(directory).first
    }

    /// Removes a name that was written down.
    func removeKeptNames(in claim: FilePath) throws(FileError) {
        for directory in [ClaimFiles.origin, ClaimFiles.side].map({ claim.appending($0) })
        where try files.status(directory) != nil {
            for name in try files.entries(directory) { try files.removeDirectory(directory.appending(name)) }
            try files.removeDirectory(directory)
        }
    }

    /// Copies the settings that concern a file into its claim, while all are still in the inbox.
    /// - Returns: whether those that must be there are: a sub-folder without settings is not claimed from.
    func keepSettings(of item: InboxItem, from place: FilePath, in claim: FilePath) throws(FileError) -> Bool {
        switch try SideFile.choose(for: item, in: place, files) {
        case .none: break
        case .one(let name):
            let image = try files.status(place.appending(item.name))
            // Settings that were left here by a command that was killed are for another file.
            if try keep(
                place.appending(name), as: claim.appending(JobFiles.settings),
                if: { ImageBinding.allows(image, in: $0) })
            {
                try keepName(name, in: claim.appending(ClaimFiles.side))
            }
        case .unclear(let reason):
            try files.write(Array(reason.utf8), to: claim.appending(ClaimFiles.unclear))
        }
        if item.folder == nil { return true }
        guard case .one(let name) = try SideFile.chooseShared(in: place, files) else { return false }
        return try keep(place.appending(name), as: claim.appending(ClaimFiles.folderSettings))
    }

    private func keep(
        _ source: FilePath, as copy: FilePath, if isMeant: ([UInt8]) -> Bool = { _ in true }
    ) throws(FileError) -> Bool {
        guard try files.status(source)?.kind == .regular else { return false }
        let bytes = try files.read(source, limit: ImageSettings.sizeLimit + 1)
        guard isMeant(bytes) else { return false }
        try files.write(bytes, to: copy)
        return true
    }

    /// Why the settings beside a claimed file cannot be used; nil if they can.
    func unclearSettings(in claim: FilePath) throws(FileError) -> String? {
        let path = claim.appending(ClaimFiles.unclear)
        guard try files.status(path) != nil else { return nil }
        return String(decoding: try files.read(path, limit: ImageSettings.sizeLimit), as: UTF8.self)
    }

    /// The name that the file with a claimed file's own settings had.
    private func sideName(of item: InboxItem, in claim: FilePath) throws(FileError) -> FilePath.Component? {
        try keptName(in: claim.appending(ClaimFiles.side)) ?? Self.settingsName(of: item.name)
    }

    /// Removes a file's own settings from the inbox, if they are still the very bytes that were kept.
    func removeSettings(of item: InboxItem, keptIn claim: FilePath) throws(FileError) {
        let kept = claim.appending(JobFiles.settings)
        guard try files.status(kept) != nil, let name = try sideName(of: item, in: claim) else { return }
        let bytes = try files.read(kept, limit: ImageSettings.sizeLimit + 1)
        try withPlace(of: item) { place throws(FileError) in
            let source = place.appending(name)
            if try files.status(source)?.kind == .regular,
                try files.read(source, limit: ImageSettings.sizeLimit + 1) == bytes
            {
                try files.removeFile(source)
                // Else they could come back, for the next image of that name.
                try files.synchronise(place.appending("."))
            }
        }
    }

    /// Writes the settings of a sub-folder into those of the file itself, for whoever tries it again by itself. What both
    /// say stands there twice then, which is refused: nobody is to guess which was meant.
    func joinSettings(keptIn claim: FilePath) throws(FileError) {
        let shared = claim.appending(ClaimFiles.folderSettings)
        guard try files.status(shared) != nil else { return }
        let own = claim.appending(JobFiles.settings)
        var text = try files.read(shared, limit: ImageSettings.sizeLimit + 1)
        if try files.status(own) != nil {
            let bytes = try files.read(own, limit: ImageSettings.sizeLimit + 1)
            // A byte-order mark is one at the beginning of a text alone.
            text += Array("\n".utf8) + bytes.dropFirst(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
        }
        try files.write(text, to: own)
        try files.removeFile(shared)
    }

    /// Puts what is no file back to where it came from.
    func putBack(_ path: FilePath, _ item: InboxItem) throws(FileError) {
        var isDone = false
        try withPlace(of: item) { place throws(FileError) in
            try files.renameExclusively(path, to: place.appending(item.name))
            isDone = true
        }
        if !isDone { try files.renameExclusively(path, to: folder.inbox.appending(item.name)) }
    }

    /// The defaults, the sub-folder's settings over them, and the file's own over these.
    func settings(
        of item: InboxItem, keptIn claim: FilePath, defaults: RestorationSettings
    ) throws -> ImageSettings {
        var settings = ImageSettings(restoration: defaults)
        let own =
            try sideName(of: item, in: claim).map { PrintableText.line(InboxItem($0, in: item.folder).text) }
            ?? "its settings"
        let shared = item.folder.map { "\(PrintableText.line($0.string))/\(ImageSettings.folderFile)" } ?? own
        for (name, source) in [(ClaimFiles.folderSettings, shared), (JobFiles.settings, own)] {
            let path = claim.appending(name)
            guard try files.status(path) != nil else { continue }
            try settings.apply(try files.read(path, limit: ImageSettings.sizeLimit + 1), source: source)
        }
        return settings
    }

    /// Calls `body` with the folder that a file was taken from, if that is still there.
    private func withPlace(
        of item: InboxItem, _ body: (FilePath) throws(FileError) -> Void
    ) throws(FileError) {
        guard let name = item.folder else { return try body(folder.inbox) }
        let held: DirectoryHandle
        do throws(FileError) {
            held = try DirectoryHandle(folder.inbox.appending(name))
        } catch {
            return
        }
        try body(held.path)
    }
}
