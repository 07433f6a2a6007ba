package import Files
import Foundation
import Jobs
package import SystemPackage
import YAML

/// Puts a rejected image back into the inbox, with the settings that it had.
///
/// It may be killed at any instant and called again, twice at once too: what moves the image is one rename, nothing is
/// written into the rejection, and nothing is removed of it but what is known to be no image. The rejection is held open
/// throughout, so that nothing that is put in its place is touched instead.
package struct Retrial {
    private let folder: StateFolder
    private let files: any FileSystem

    /// What came of it.
    package struct Outcome: Sendable, Equatable {
        /// The image's place in the inbox; nil if it had been put back already.
        package var place: FilePath?
        /// Names in the rejection that are not the daemon's, and were left where they are.
        package var left: [String]
    }

    package init(_ folder: StateFolder, files: any FileSystem = LocalFileSystem()) {
        self.folder = folder
        self.files = files
    }

    /// Renames the original back into the inbox, then removes what is left of the rejection. Killed in between, it leaves
    /// the image in the inbox and a rejection without one, which a second call removes.
    /// - Parameters:
    ///   - changes: settings to put in place of those it had.
    ///   - keepsSettings: false leaves those it had away.
    /// - Throws: ``SettingsError`` if its settings cannot be used, ``FileError`` or ``RestorationError``. The rejection is
    ///   then as it was.
    package func retry(
        _ rejection: FoundJob, changes: [(key: String, value: String)], keepsSettings: Bool
    ) throws -> Outcome {
        let held: DirectoryHandle
        do throws(FileError) {
            held = try DirectoryHandle(rejection.path)
        } catch {
            // Another call has come to its end.
            if error.isMissing { return Outcome(place: nil, left: []) }
            throw error
        }
        do {
            let report = RejectionReport.read(from: held.path, files)
            guard report?.job == rejection.id || report == nil else {
                throw RestorationError(
                    .busy, "\(rejection.path.readable): another image has been rejected under this name meanwhile",
                    remedy: "look with dkp status and try again")
            }
            var place: FilePath?
            if let original = try original(in: held.path, report, called: rejection) {
                place = try putBack(
                    held.path.appending(original), of: rejection, in: held.path, changes: changes,
                    keepsSettings: keepsSettings)
            }
            return Outcome(place: place, left: try remove(rejection.path, held: held.path))
        } catch let error as FileError {
            throw error.relocated(from: held.path, to: rejection.path)
        }
    }

    /// The image, by the name that the daemon gave it; nil if it is not there.
    private func original(
        in rejection: FilePath, _ report: RejectionReport?, called found: FoundJob
    ) throws -> FilePath.Component? {
        let candidates = try files.entries(rejection).filter { name in
            guard Publication.isOriginalName(name) else { return false }
            return try files.status(rejection.appending(name))?.kind == .regular
        }
        if let report {
            let name = Publication.originalName(for: report.name)
            if let original = candidates.first(where: { $0.string == name }) { return original }
        }
        // Without its report, or with another's: where there is one image, it is meant.
        guard candidates.count < 2 else {
            let names = candidates.map(\.string).sorted().joined(separator: ", ")
            throw RestorationError(
                .badInput, "\(found.path.readable): \(names) could be the image, and no error.json tells",
                remedy: "dkp submit the one that is meant")
        }
        return candidates.first
    }

    /// - Returns: nil if the image has been put back by another call meanwhile.
    private func putBack(
        _ original: FilePath, of rejection: FoundJob, in held: FilePath, changes: [(key: String, value: String)],
        keepsSettings: Bool
    ) throws -> FilePath? {
        do {
            var settings = keepsSettings ? try self.settings(in: held, of: rejection) : []
            for change in changes {
                settings.removeAll { $0.key == change.key }
                settings.append(change)
            }
            let text = settings.isEmpty ? nil : try Submission.settingsText(settings, source: "its settings")
            return try Submission(folder, files: files).drop(
                original, as: Self.name(of: rejection, original), settings: text)
        } catch {
            // Only its being gone is told apart here: the rename itself decides between two.
            guard try files.status(original) == nil else { throw error }
            return nil
        }
    }

    /// The name to put an image back under: its own, or, where no report tells that, the rejection's with the ending that
    /// the daemon kept.
    private static func name(of rejection: FoundJob, _ original: FilePath) -> String {
        guard let name = FilePath(rejection.name).lastComponent else { return rejection.name }
        guard rejection.id == nil, name.extension == nil, let ending = original.extension else { return name.string }
        return "\(name.string).\(ending)"
    }

    /// The settings of a rejected image: of its own file, where that was what could not be used, else what was asked of
    /// its job.
    private func settings(in held: FilePath, of rejection: FoundJob) throws -> [(key: String, value: String)] {
        let own = held.appending(JobFiles.settings)
        let place = rejection.path.appending(JobFiles.settings)
        if try files.status(own) != nil {
            let bytes = try files.read(own, limit: ImageSettings.sizeLimit)
            guard let mapping = (try? YAMLValue(bytes))?.mapping else {
                throw SettingsError.malformed(
                    "not a list of \"setting: value\" lines; retry --without-settings leaves them away",
                    source: place.readable)
            }
            return mapping.map { ($0.key, $0.value.isNull ? "" : $0.value.words) }
        }
        let record = held.appending(JobFiles.record)
        guard let status = try files.status(record) else { return [] }
        guard status.kind == .regular, let job = try? JobDirectory.open(held.string) else {
            throw SettingsError.malformed(
                "it does not tell what was asked; retry --without-settings leaves the settings away",
                source: rejection.path.appending(JobFiles.record).readable)
        }
        let priority = RejectionReport.read(from: held, files)?.priority
        return job.record.settings.texts.compactMap { key, text in
            text.isEmpty ? nil : (key.rawValue, key == .weights ? name(ofWeights: text) : text)
        } + (priority.map { [(ImageSettings.priorityName, "\($0)")] } ?? [])
    }

    /// Weights of the daemon's folder by the name that a side file may give.
    private func name(ofWeights text: String) -> String {
        let folder = self.folder.weights.string + "/"
        return text.hasPrefix(folder) ? String(text.dropFirst(folder.count)) : text
    }

    /// Removes what the daemon made of a rejection whose image has left it.
    /// - Returns: the names that are not the daemon's.
    private func remove(_ rejection: FilePath, held: FilePath) throws(FileError) -> [String] {
        var left: [String] = []
        for name in try files.entries(held) {
            if Self.isDisposable(name.string) {
                try files.removeTree(held.appending(name))
            } else {
                left.append(name.string)
            }
        }
        if left.isEmpty {
            do throws(FileError) {
                try files.removeDirectory(rejection)
            } catch {
                // Meanwhile another image may have been rejected under that name.
                guard error.isTaken else { throw error }
            }
        }
        return left.sorted()
    }

    /// Whether a name in a rejection is that of a file which the daemon, or an earlier version of this command that was
    /// killed, wrote there.
    private static func isDisposable(_ name: String) -> Bool {
        if [JobFiles.error, JobFiles.log, JobFiles.record, JobFiles.settings].contains(where: {
            name == $0 || name == DurableFile.temporaryName(of: $0, .fixed)
        }) {
            return true
        }
        return name.hasPrefix("original.") && name.hasSuffix(".yaml")
            || name.hasPrefix(".original.") && name.hasSuffix(".yaml" + DurableFile.temporarySuffix)
    }
}
