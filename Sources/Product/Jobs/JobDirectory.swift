package import Files
import Foundation
import ImageFormats
package import SystemPackage

/// A job on disk: the input, what was asked, and all the state there is.
///
/// The directory appears whole, under its final name, or not at all; everything written into it later is replaced
/// atomically. A worker may be killed at any instant and another goes on.
public struct JobDirectory: Sendable, Equatable {
    /// The directory's path.
    public let path: String
    /// What was asked.
    public let record: JobRecord

    init(path: String, record: JobRecord) {
        self.path = path
        self.record = record
    }

    /// The image to restore.
    public var inputPath: String { "\(path)/\(record.inputName)" }
    /// What was asked (see ``JobRecord``).
    public var recordPath: String { "\(path)/job.json" }
    /// The present: step, loss, rate (see ``JobProgress``).
    public var progressPath: String { "\(path)/progress.json" }
    /// One line per event, with UTC times.
    public var logPath: String { "\(path)/job.log" }
    /// Why the last run failed, if it did (see ``FailureReport``).
    public var errorPath: String { "\(path)/error.json" }
    /// Held by the one worker at work.
    public var lockPath: String { "\(path)/lock" }
    /// When each run began and how it ended.
    public var runsPath: String { "\(path)/runs.json" }
    /// The finished result, there only when complete.
    public var resultPath: String { "\(path)/result" }

    /// Whether the result is complete.
    public var isFinished: Bool { LocalFileSystem().exists(resultPath) }

    /// Makes a job directory named `name` in `parent` of a copy of a file: everything is written and synchronised under a
    /// temporary name, then renamed.
    ///
    /// After a crash in between, ``recoverUnfinished(in:)`` completes or removes what is left.
    /// - Parameters:
    ///   - parent: a directory that is there.
    ///   - input: the image's path; symbolic links are followed. It is not decoded here.
    ///   - name: the job directory's name, also the job's id unless it begins with a dot.
    ///   - originalName: the user's name for the image; the input's own if nil.
    ///   - references: files that the result is scored against.
    /// - Throws: ``FileError``, ``RestorationError`` or ``SettingsError``; nothing is left behind.
    public static func create(
        in parent: String, input: String, settings: RestorationSettings, name: String, originalName: String? = nil,
        references: JobRecord.References? = nil
    ) throws -> JobDirectory {
        try settings.validate(source: "settings")
        guard !name.isEmpty, name != ".", name != "..", !name.contains("/"), !name.utf8.contains(0) else {
            throw RestorationError(.internalError, "\"\(name)\" cannot be the name of a job directory")
        }
        let path = "\(parent)/\(name)"
        guard !LocalFileSystem().exists(path) else {
            throw FileError(.exists, FilePath(path), "is there already", remedy: "choose another name")
        }
        let temporary = "\(parent)/\(temporaryPrefix)\(name)"
        try LocalFileSystem().remove(temporary)
        try LocalFileSystem().makeDirectory(temporary)
        do {
            let record = JobRecord(
                id: name.hasPrefix(".") ? UUID().uuidString.lowercased() : name,
                originalName: originalName ?? TextPath.name(of: input),
                input: try JobInput(copying: input, into: temporary), settings: settings, references: references)
            try LocalFileSystem().replace("\(temporary)/job.json", with: record.json(), durably: true)
            return try complete(temporary, as: path, record: record)
        } catch {
            try? LocalFileSystem().remove(temporary)
            throw error
        }
    }

    /// Makes a job, but for its name, of a directory on whose file system the input is: writes `job.json` into it, then
    /// renames the input into it. The input has no copy, so nothing here removes it or takes it back: when a step fails,
    /// or the process dies, the input is where it was or in its place, and the same may be done again.
    /// - Parameters:
    ///   - directory: has a name that no job has.
    ///   - path: where the input is.
    ///   - id: the name that the directory is to get.
    /// - Throws: ``FileError`` or ``SettingsError``.
    package static func prepare(
        _ directory: FilePath, input: JobInput, at path: FilePath, id: String, originalName: String,
        settings: RestorationSettings, _ files: some FileSystem
    ) throws {
        try settings.validate(source: "settings")
        let record = JobRecord(id: id, originalName: originalName, input: input, settings: settings)
        try files.write(record.json(), to: directory.appending("job.json"))
        try files.rename(path, to: directory.appending(record.inputName))
        // Before anything that a second try would need is removed.
        try files.synchronise(directory)
    }

    /// Opens a job directory and reads `job.json`.
    /// - Throws: ``FileError`` or ``RestorationError`` if it is not a job directory.
    public static func open(_ path: String) throws -> JobDirectory {
        guard LocalFileSystem().isDirectory(path) else {
            throw FileError(.notFound, FilePath(path), "no such job directory", remedy: "check the path")
        }
        let record = try JobRecord.read("\(path)/job.json")
        guard record.formatVersion == JobRecord.formatVersion else {
            throw RestorationError(
                .badInput,
                "\(path)/job.json has format version \(record.formatVersion), not \(JobRecord.formatVersion)",
                remedy: "use the version of the program that created it")
        }
        return JobDirectory(path: path, record: record)
    }

    /// Finishes what a crash during ``create(in:input:settings:name:originalName:references:)`` left in
    /// `parent`: a directory that already holds its input and record becomes a job, one that does not is removed, one
    /// whose record cannot be read is left alone. One that cannot be dealt with does not keep the others.
    /// - Returns: the jobs that were completed.
    /// - Throws: the first error, after all have been tried.
    public static func recoverUnfinished(in parent: String) throws -> [JobDirectory] {
        var recovered: [JobDirectory] = []
        var failure: (any Error)?
        for name in try LocalFileSystem().names(in: parent) where name.hasPrefix(temporaryPrefix) {
            let path = "\(parent)/\(name.dropFirst(temporaryPrefix.count))"
            do {
                if let job = try recover("\(parent)/\(name)", as: path) { recovered.append(job) }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return recovered
    }

    private static func recover(_ temporary: String, as path: String) throws -> JobDirectory? {
        // The record is written after the input has been copied in (and was, by earlier versions, before one was moved
        // in): without either, the user's own file is still where it was.
        guard JobRecord.inputNames.contains(where: { LocalFileSystem().exists("\(temporary)/\($0)") }),
            LocalFileSystem().exists("\(temporary)/job.json")
        else {
            try LocalFileSystem().remove(temporary)
            return nil
        }
        guard !LocalFileSystem().exists(path), let job = try? open(temporary) else { return nil }
        return try complete(temporary, as: path, record: job.record)
    }

    /// This job with other operational settings (threads, checkpoint interval) and references, `job.json` rewritten.
    /// - Throws: ``RestorationError`` if the settings ask for another result.
    public func replacing(settings: RestorationSettings, references: JobRecord.References?) throws -> JobDirectory {
        guard settings.determiningResult == record.settings.determiningResult else {
            throw RestorationError(
                .badSettings, "\(path) was begun with other settings (\(record.settings.differences(from: settings)))",
                remedy: "give the same settings, or --restart to begin anew")
        }
        var record = record
        record.settings = settings
        record.references = references
        if record != self.record {
            try LocalFileSystem().replace(recordPath, with: record.json(), durably: true)
        }
        return JobDirectory(path: path, record: record)
    }

    private static let temporaryPrefix = ".new-"

    /// Gives the directory its name.
    private static func complete(_ temporary: String, as path: String, record: JobRecord) throws -> JobDirectory {
        try LocalFileSystem().synchroniseDirectory(temporary)
        try LocalFileSystem().rename(temporary, to: path)
        try LocalFileSystem().synchroniseDirectory(TextPath.parent(of: path))
        return JobDirectory(path: path, record: record)
    }

    /// The SHA-256 of a file of at most `largest` bytes.
    package static func digest(
        of path: String, largest: Int = .max
    ) throws -> (hexadecimal: String, bytes: Int) {
        let digest = try SHA256()
        var bytes = 0
        try LocalFileSystem().readChunks(path, largest: largest) { chunk in
            bytes += chunk.count
            digest.update(chunk)
        }
        return (try digest.finishHexadecimal(), bytes)
    }
}

extension RestorationSettings {
    /// The settings in which this differs from another, "scale 4, now 2", in words.
    func differences(from other: RestorationSettings) -> String {
        func text(_ value: String) -> String { value.isEmpty ? "not set" : value }
        return zip(determiningResult.texts, other.determiningResult.texts)
            .filter { $0.text != $1.text }
            .map { "\($0.key.rawValue) \(text($0.text)), now \(text($1.text))" }
            .joined(separator: "; ")
    }
}
