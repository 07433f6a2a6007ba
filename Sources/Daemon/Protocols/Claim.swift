import Foundation
import Restoration
import SystemPackage

/// Takes files out of the inbox.
///
/// A claim is these steps, each atomic; the second is the one that accepts the file:
///
/// 1. `jobs/.ID.new/` is made, in it `dropped/`, and `settings.yaml` if the file has settings of its own.
/// 2. The file is renamed from the inbox to `jobs/.ID.new/dropped/NAME`: its own name is kept by the rename itself.
/// 3. The settings' own file is removed from the inbox.
/// 4. The job `jobs/ID/` is made around the file, which is renamed into it. Settings that cannot be used make a job
///    that is born rejected: `rejection/error.json` is written and `.ID.new` itself renamed to `jobs/ID`.
/// 5. What is left of `.ID.new` is removed.
///
/// After a crash, ``finish(_:)`` is called for each `.ID.new`, and goes on where the files show that it stopped:
///
/// - nothing in `dropped/`: the crash came before 2 (the file is still in the inbox) or after 4 (the job is there);
///   both ways only 5 is left;
/// - a file in `dropped/`: on with 3.
package struct Claim: Sendable {
    private let folder: StateFolder
    private let files: any StateFileSystem
    private let maker: any JobMaker
    private let defaults: RestorationSettings
    private let limits: InputLimits

    /// - Parameters:
    ///   - defaults: the settings of files that have none of their own.
    ///   - limits: larger inputs are rejected.
    package init(
        _ folder: StateFolder, files: any StateFileSystem, maker: any JobMaker, defaults: RestorationSettings,
        limits: InputLimits = InputLimits()
    ) {
        self.folder = folder
        self.files = files
        self.maker = maker
        self.defaults = defaults
        self.limits = limits
    }

    /// The largest settings file that is read, in bytes.
    static let settingsLimit = 65_536

    /// The name of the file with one image's own settings; nil if no file can have it, being too long.
    package static func settingsName(of name: FilePath.Component) -> FilePath.Component? {
        // Built from bytes: a name need not be text.
        name.withPlatformString { pointer in
            var bytes = Array(UnsafeBufferPointer(start: pointer, count: strlen(pointer)))
            guard bytes.count + 5 <= 255 else { return nil }
            bytes += ".yaml".utf8.map { CChar(bitPattern: $0) } + [0]
            return bytes.withUnsafeBufferPointer { buffer in
                buffer.baseAddress.flatMap { FilePath.Component(platformString: $0) }
            }
        }
    }

    /// Claims one file of the inbox.
    /// - Returns: false if the file was gone or was no regular file any more, and all is as it was.
    /// - Throws: ``FileError`` or what the job maker throws. The file is then in the inbox, or in the claim, which
    ///   ``finish(_:)`` completes later; ``unfinished()`` lists those.
    package func claim(_ name: FilePath.Component, as id: JobID) throws -> Bool {
        let claim = folder.claim(id)
        let dropped = claim.appending(JobFiles.dropped)
        let source = folder.inbox.appending(name)
        let target = dropped.appending(name)
        do throws(FileError) {
            try files.makeDirectory(claim)
            try files.makeDirectory(dropped)
            try keepSettings(of: name, in: claim)
            try files.renameExclusively(source, to: target)
        } catch {
            try abandon(claim)
            if error.code == .noSuchFileOrDirectory && error.path == source { return false }
            throw error
        }
        // The name may have come to mean another thing since it was looked at: only a regular file is work.
        guard try files.status(target)?.kind == .regular else {
            try files.renameExclusively(target, to: source)
            try abandon(claim)
            return false
        }
        try files.synchronise(target)
        try files.synchronise(dropped)
        try files.synchronise(folder.jobs)
        try finish(id)
        return true
    }

    /// Completes a claim from wherever it stopped.
    package func finish(_ id: JobID) throws {
        let claim = folder.claim(id)
        let dropped = claim.appending(JobFiles.dropped)
        guard try files.status(dropped) != nil, let name = try files.entries(dropped).first else {
            return try abandon(claim)
        }
        let claimed = dropped.appending(name)
        guard let status = try files.status(claimed), status.kind == .regular else {
            try files.renameExclusively(claimed, to: folder.inbox.appending(name))
            return try abandon(claim)
        }
        let settings = try takeSettings(of: name, in: claim)
        let input = try renameToText(claimed, name)
        do {
            try limits.check(input, size: status.size, files)
            let resolved = try resolve(settings, of: name)
            try maker.makeJob(id, input: input, name: name.string, settings: resolved)
        } catch let error as InputLimits.Excess {
            return try reject(claim, as: id, name: name, code: "too_large", message: error.message)
        } catch let error as UnusableSettings {
            return try reject(claim, as: id, name: name, code: "bad_settings", message: error.message)
        } catch let error as SettingsError {
            return try reject(claim, as: id, name: name, code: error.code.rawValue, message: error.description)
        }
        try abandon(claim)
    }

    /// The claims that a crash or a full disk left unfinished.
    package func unfinished() throws(FileError) -> [JobID] {
        try files.entries(folder.jobs).compactMap { entry in
            let text = entry.string
            guard text.hasPrefix("."), text.hasSuffix(".new") else { return nil }
            return JobID(String(text.dropFirst().dropLast(4)))
        }.sorted()
    }

    private func abandon(_ claim: FilePath) throws(FileError) {
        // Never a whole tree: a dropped file that should still be there must survive a mistake here.
        try files.removeFile(claim.appending(JobFiles.settings))
        try files.removeFile(claim.appending(JobFiles.settings + ".tmp"))
        try files.removeFile(claim.appending(JobLedger.fileName))
        try files.removeFile(claim.appending(JobLedger.fileName + ".tmp"))
        try files.removeDirectory(claim.appending(JobFiles.dropped))
        try files.removeDirectory(claim)
    }
}

extension Claim {
    /// Gives a claimed file whose name is no UTF-8 one that is: from here on paths travel as text.
    private func renameToText(_ path: FilePath, _ name: FilePath.Component) throws(FileError) -> FilePath {
        if FilePath.Component(name.string) == name { return path }
        let renamed = path.removingLastComponent().appending("\(ResultName.make(from: name)).png")
        try files.renameExclusively(path, to: renamed)
        return renamed
    }

    /// Copies the settings that lie beside a dropped file into its claim, while both are still in the inbox.
    private func keepSettings(of name: FilePath.Component, in claim: FilePath) throws(FileError) {
        guard let settingsName = Self.settingsName(of: name) else { return }
        let source = folder.inbox.appending(settingsName)
        guard try files.status(source)?.kind == .regular else { return }
        try files.write(try files.read(source, limit: Self.settingsLimit + 1), to: claim.appending(JobFiles.settings))
    }

    /// The bytes of the settings kept in a claim; the inbox's file with those very bytes is removed.
    private func takeSettings(of name: FilePath.Component, in claim: FilePath) throws(FileError) -> [UInt8]? {
        let kept = claim.appending(JobFiles.settings)
        guard try files.status(kept) != nil else { return nil }
        let bytes = try files.read(kept, limit: Self.settingsLimit + 1)
        if let settingsName = Self.settingsName(of: name) {
            let source = folder.inbox.appending(settingsName)
            if try files.status(source)?.kind == .regular,
                try files.read(source, limit: Self.settingsLimit + 1) == bytes
            {
                try files.removeFile(source)
            }
        }
        return bytes
    }

    /// The defaults with a file's own settings over them.
    private func resolve(_ bytes: [UInt8]?, of name: FilePath.Component) throws -> RestorationSettings {
        guard let bytes else { return locatingWeights(of: defaults) }
        var settings = defaults
        let source = ResultName.printable(name.string) + ".yaml"
        guard bytes.count <= Self.settingsLimit else {
            throw UnusableSettings("\(source): larger than \(Self.settingsLimit) bytes")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw UnusableSettings("\(source): not UTF-8 text")
        }
        try settings.apply(yaml: text, source: source)
        // Whoever drops an image must not choose which files the daemon reads.
        guard settings.oracleKernel == defaults.oracleKernel else {
            throw UnusableSettings("\(source): oracle_kernel cannot be set for a dropped image; use dkp restore")
        }
        if let weights = settings.weights, weights != defaults.weights, !WeightsLocation(weights).isName {
            throw UnusableSettings(
                "\(source): weights is \"\(weights)\"; allowed for a dropped image: the name of a file in "
                    + folder.weights.string)
        }
        return locatingWeights(of: settings)
    }

    /// The settings with a weights file that is given by name looked up in the folder of weights.
    private func locatingWeights(of settings: RestorationSettings) -> RestorationSettings {
        guard let text = settings.weights else { return settings }
        let weights = WeightsLocation(text)
        guard weights.isName else { return settings }
        var settings = settings
        settings.weights = weights.inFolder(folder.weights.string).description
        return settings
    }

    /// Makes a job that is born rejected of a claim whose settings cannot be used.
    private func reject(
        _ claim: FilePath, as id: JobID, name: FilePath.Component, code: String, message: String
    ) throws(FileError) {
        let rejection = claim.appending(JobFiles.rejection)
        try JobLedger(name: name.string, claimed: Date()).write(to: claim, files)
        try files.ensureDirectory(rejection)
        let report = RejectionReport(
            job: id.description, name: name.string, code: code, message: message, attempts: [])
        try files.write(JobLedger.encode(report), to: rejection.appending(JobFiles.error))
        try files.rename(claim, to: folder.job(id))
        try files.synchronise(folder.jobs)
    }
}

/// A dropped file's own settings cannot be used.
private struct UnusableSettings: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
