import Foundation
import Restoration
import SystemPackage
import YAML

/// Puts a rejected image back into the inbox, with the settings that it had.
package struct Retrial {
    private let folder: StateFolder
    private let files: any StateFileSystem

    package init(_ folder: StateFolder, files: any StateFileSystem = LocalFileSystem()) {
        self.folder = folder
        self.files = files
    }

    /// Renames the original back into the inbox, then removes what is left of the rejection. Killed in between, it leaves
    /// the image in the inbox and a rejection without one, which a second call removes.
    /// - Parameters:
    ///   - changes: settings to put in place of those it had.
    ///   - keepsSettings: false leaves those it had away.
    /// - Returns: its place in the inbox; nil if it had been put back already.
    /// - Throws: ``SettingsError`` if its settings cannot be used, ``FileError`` or ``RestorationError``.
    package func retry(
        _ rejection: FoundJob, changes: [(key: String, value: String)], keepsSettings: Bool
    ) throws -> FilePath? {
        let original = try files.entries(rejection.path).first { name in
            (name.string == "original" || name.string.hasPrefix("original."))
                && (try? files.status(rejection.path.appending(name)))??.kind == .regular
        }
        var place: FilePath?
        if let original {
            var settings = keepsSettings ? try self.settings(of: rejection.path) : []
            for change in changes {
                settings.removeAll { $0.key == change.key }
                settings.append(change)
            }
            let text = settings.isEmpty ? nil : try Submission.settingsText(settings, source: "its settings")
            place = try Submission(folder, files: files).drop(
                rejection.path.appending(original),
                as: FilePath(rejection.name).lastComponent?.string ?? rejection.name,
                settings: text)
        }
        try files.removeTree(rejection.path)
        return place
    }

    /// The settings of a rejected image: of its own file, where that was what could not be used, else what was asked of
    /// its job.
    private func settings(of rejection: FilePath) throws -> [(key: String, value: String)] {
        let own = rejection.appending(JobFiles.settings)
        if try files.status(own) != nil {
            let bytes = try files.read(own, limit: ImageSettings.sizeLimit)
            guard let mapping = (try? YAMLValue(bytes))?.mapping else {
                throw SettingsError.malformed(
                    "not a list of \"setting: value\" lines; retry --without-settings leaves them away",
                    source: own.readable)
            }
            return mapping.map { ($0.key, $0.value.isNull ? "" : $0.value.words) }
        }
        guard try files.status(rejection.appending(JobFiles.record)) != nil else { return [] }
        let priority = RejectionReport.read(from: rejection, files)?.priority
        return try JobDirectory.open(rejection.string).record.settings.texts.compactMap { key, text in
            text.isEmpty ? nil : (key.rawValue, text)
        } + (priority.map { [(ImageSettings.priorityName, "\($0)")] } ?? [])
    }
}
