package import Files
import Foundation
import Glibc
package import SystemPackage

/// What commands that were killed left in the inbox: files that were being made, and settings whose image did not come.
///
/// Everything that is removed here is locked first, by what only the dead do not hold (see ``StagedFile``).
package struct Leftovers {
    private let folder: StateFolder
    private let files: any FileSystem

    /// A file that is closed to this user, so that its lock cannot be asked for, is nobody's after so long.
    private static let longest = 86_400.0

    package init(_ folder: StateFolder, files: any FileSystem = LocalFileSystem()) {
        self.folder = folder
        self.files = files
    }

    /// Removes them. What cannot be looked at or removed is left for the next time.
    /// - Returns: the names of what was removed.
    package func remove() -> [FilePath.Component] {
        guard let names = try? files.entries(folder.inbox) else { return [] }
        return names.filter { name in
            let path = folder.inbox.appending(name)
            if name.string.hasPrefix(StagedFile.prefix) { return (try? removeStaged(path)) == true }
            guard let image = Self.image(ofSettings: path) else { return false }
            return (try? removeSettings(path, of: image)) == true
        }
    }

    /// Removes settings that name an image which is not there and that nobody is about to bring.
    /// - Parameter image: the place where the image would be.
    /// - Returns: whether they were removed.
    func removeSettings(_ path: FilePath, of image: FilePath) throws(FileError) -> Bool {
        guard let status = try files.status(path), status.kind == .regular, status.size <= ImageSettings.sizeLimit,
            let held = StagedFile(abandoned: path),
            ImageBinding.isPresent(in: try files.read(path, limit: ImageSettings.sizeLimit)),
            try files.status(image) == nil
        else { return false }
        try files.removeFile(path)
        withExtendedLifetime(held) {}
        return true
    }

    private func removeStaged(_ path: FilePath) throws(FileError) -> Bool {
        guard let status = try files.status(path), status.kind == .regular else { return false }
        let held = StagedFile(abandoned: path)
        if held == nil {
            let age = Date().timeIntervalSince1970 - Double(status.changed) / 1e9
            guard age > Self.longest, path.withPlatformString({ access($0, R_OK) }) != 0 else { return false }
        }
        try files.removeFile(path)
        withExtendedLifetime(held) {}
        return true
    }

    private static func image(ofSettings path: FilePath) -> FilePath? {
        let ending = ".yaml"
        guard path.string.hasSuffix(ending), FilePath(path.string) == path else { return nil }
        return FilePath(String(path.string.dropLast(ending.count)))
    }
}
