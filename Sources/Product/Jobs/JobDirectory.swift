import Files
import Foundation
import ImageFormats
import SystemPackage

/// A job on disk: the input, what was asked, and all the state there is.
///
/// The directory appears whole, under its final name, or not at all; everything written into it later is replaced
/// atomically. A worker may be killed at any instant and another goes on.
public struct JobDirectory: Sendable, Equatable {
    /// How ``create(in:input:settings:name:originalName:references:transfer:)`` takes the input.
    public enum Transfer: Sendable {
        /// The file is copied; symbolic links are followed.
        case copy
        /// The file is renamed into the job, on the same file system; links, directories and devices are refused.
        case move
    }

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

    /// Makes a job directory named `name` in `parent`: everything is written and synchronised under a temporary name,
    /// then renamed.
    ///
    /// After a crash in between, ``recoverUnfinished(in:)`` completes or removes what is left.
    /// - Parameters:
    ///   - parent: a directory that is there.
    ///   - input: the image's path. It is not decoded here.
    ///   - name: the job directory's name, also the job's id unless it begins with a dot.
    ///   - originalName: the user's name for the image; the input's own if nil.
    ///   - references: files that the result is scored against.
    ///   - transfer: whether the input is copied or renamed away.
    /// - Throws: ``FileError``, ``RestorationError`` or ``SettingsError``; nothing is left behind, and a file to
    ///   be moved is where it was.
    public static func create(
        in parent: String, input: String, settings: RestorationSettings, name: String, originalName: String? = nil,
        references: JobRecord.References? = nil, transfer: Transfer = .copy
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
        // Its name must have reached the disk before an input is moved there.
        if transfer == .move { try LocalFileSystem().synchroniseDirectory(parent) }
        var temporaryInput = "\(temporary)/input"
        do {
            let format = try self.format(of: input, followingLinks: transfer == .copy)
            temporaryInput = "\(temporary)/\(JobRecord.inputName(format))"
            let digest =
                switch transfer {
                case .copy: try copy(input, to: temporaryInput)
                case .move: try self.digest(of: input, followingLinks: false)
                }
            let record = JobRecord(
                id: name.hasPrefix(".") ? UUID().uuidString.lowercased() : name,
                originalName: originalName ?? TextPath.name(of: input), created: Date(),
                softwareVersion: Software.version, inputFormat: format, inputSHA256: digest.hexadecimal,
                inputBytes: digest.bytes, settings: settings, references: references)
            try LocalFileSystem().replace("\(temporary)/job.json", with: record.json(), durably: true)
            if transfer == .move { try LocalFileSystem().rename(input, to: temporaryInput) }
            return try complete(temporary, as: path, record: record)
        } catch {
            // A moved input goes back: it is all there is of the user's file.
            if transfer == .move, LocalFileSystem().exists(temporaryInput) {
                try? LocalFileSystem().rename(temporaryInput, to: input)
                try? LocalFileSystem().synchroniseDirectory(TextPath.parent(of: input))
            }
            if transfer == .copy || !LocalFileSystem().exists(temporaryInput) {
                try? LocalFileSystem().remove(temporary)
            }
            throw error
        }
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

    /// Finishes what a crash during ``create(in:input:settings:name:originalName:references:transfer:)`` left in
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
        // The record is written before an input is moved in, and after one has been copied in: without either, the
        // user's own file is still where it was.
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

    /// Checks the input once more (a writer may still have had it open before it was moved) and gives the directory its
    /// name.
    private static func complete(_ temporary: String, as path: String, record: JobRecord) throws -> JobDirectory {
        let digest = try digest(of: "\(temporary)/\(record.inputName)", followingLinks: false)
        var record = record
        if digest.hexadecimal != record.inputSHA256 {
            record.inputSHA256 = digest.hexadecimal
            record.inputBytes = digest.bytes
            try LocalFileSystem().replace("\(temporary)/job.json", with: record.json(), durably: true)
        }
        try LocalFileSystem().synchroniseDirectory(temporary)
        try LocalFileSystem().rename(temporary, to: path)
        try LocalFileSystem().synchroniseDirectory(TextPath.parent(of: path))
        return JobDirectory(path: path, record: record)
    }

    private static func copy(_ source: String, to target: String) throws -> (hexadecimal: String, bytes: Int) {
        let writer = try FileWriter(creating: target)
        try LocalFileSystem().readChunks(source) { try writer.write($0) }
        try writer.synchronise()
        return try digest(of: target, followingLinks: false)
    }

    /// The format of a file, by its first bytes; nil if it is none that is read.
    private static func format(of path: String, followingLinks: Bool) throws -> ImageFormat? {
        var head: [UInt8] = []
        let length = ImageFormat.signatureLength
        try LocalFileSystem().readChunks(path, followingLinks: followingLinks, limit: length) { head += $0 }
        return ImageFormat(signature: head)
    }

    /// The SHA-256 of a file of at most `largest` bytes.
    package static func digest(
        of path: String, followingLinks: Bool = true, largest: Int = .max
    ) throws -> (hexadecimal: String, bytes: Int) {
        let digest = try SHA256()
        var bytes = 0
        try LocalFileSystem().readChunks(path, followingLinks: followingLinks, largest: largest) { chunk in
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
