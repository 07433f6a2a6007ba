import Checkpointing
import Files
import Foundation
import Imaging
public import Jobs

/// A job run in the foreground, kept in the hidden directory `.job` of its output directory until it is done.
public struct ForegroundJob: Sendable {
    /// Where the result goes.
    public let output: String
    /// The job, at `output/.job`.
    public let job: JobDirectory
    /// Whether the job was begun by an earlier call.
    public let wasBegun: Bool
    /// The directories that were made for the output, the innermost first.
    private let madeDirectories: [String]

    private static let jobName = ".job"
    private static let discardedName = ".job-discarded"
    /// What was in the output directory before a finished result goes there, in the job's directory.
    private static let replacedName = "replaced"

    /// Creates the job, or finds the one that an interrupted call left.
    /// - Parameters:
    ///   - restart: throws an unfinished job away, whatever it is.
    ///   - force: writes over a result that is there.
    /// - Throws: ``FileError`` if the input is missing or the output cannot be made; ``RestorationError`` with code
    ///   `cannotCreate` for a result that is there, `badInput` or `badSettings` for an unfinished job of another input or
    ///   other settings, `busy` for one that is being worked on.
    public init(
        input: String, output: String, settings: RestorationSettings, references: JobRecord.References? = nil,
        restart: Bool = false, force: Bool = false
    ) throws {
        self.output = output
        let digest = try Self.digest(of: input)
        madeDirectories = Self.missingDirectories(output)
        try LocalFileSystem().makeDirectories(output)
        for made in madeDirectories { try LocalFileSystem().synchroniseDirectory(TextPath.parent(of: made)) }
        try LocalFileSystem().remove("\(output)/\(Self.discardedName)")
        _ = try JobDirectory.recoverUnfinished(in: output)

        let path = "\(output)/\(Self.jobName)"
        if LocalFileSystem().exists(path), restart {
            if LocalFileSystem().exists("\(path)/\(Self.replacedName)") {
                // The earlier result is half out of the way of a finished one: that comes first.
                try Self.publish(JobDirectory.open(path), to: output)
            }
            try Self.discard(path, in: output)
        }
        if LocalFileSystem().exists(path) {
            let found = try JobDirectory.open(path)
            guard found.record.inputSHA256 == digest.hexadecimal else {
                throw RestorationError(
                    .badInput, "\(output): holds the unfinished job of another image (\(found.record.originalName))",
                    remedy: "choose another --output, or --restart to throw that job away")
            }
            job = try found.replacing(settings: settings, references: references)
            wasBegun = true
            return
        }
        if !force, let name = ResultWriter.fileNames.first(where: { LocalFileSystem().exists("\(output)/\($0)") }) {
            throw RestorationError(
                .cannotCreate, "\(output): holds \(name) of an earlier result already",
                remedy: "choose another --output, or --force to write over it")
        }
        job = try JobDirectory.create(
            in: output, input: input, settings: settings, name: Self.jobName, references: references)
        wasBegun = false
    }

    /// The report of a result that an earlier call of the same kind has finished: of the same image, with the same
    /// settings, scored if this one asks for scores. Nil if there is none; changes nothing.
    /// - Throws: ``FileError`` if the input cannot be read.
    public static func finishedReport(
        input: String, output: String, settings: RestorationSettings, references: JobRecord.References? = nil
    ) throws -> Report? {
        let digest = try digest(of: input)
        let files = ["restored.png", "kernel.png", "figure.png", "result.h5", "job.log"]
        guard !output.isEmpty, !LocalFileSystem().exists("\(output)/\(jobName)"),
            let report = try? Report.read("\(output)/report.json"),
            report.inputSHA256 == digest.hexadecimal,
            report.settings.determiningResult == settings.determiningResult,
            (report.psnr != nil) == (references?.image != nil),
            (report.kernelPSNR != nil) == (references?.kernel != nil),
            files.allSatisfy({ LocalFileSystem().exists("\(output)/\($0)") })
        else { return nil }
        return report
    }

    /// Moves a finished result into the output directory and removes the job. Killed at any instant, it goes on when
    /// called again.
    ///
    /// An earlier result goes out of the way first, its report before its other files, and the new report comes last: the
    /// directory never holds files of both, and where a report is, what is beside it belongs to it.
    /// - Returns: the report.
    public func publish() throws -> Report { try publish { _ in } }

    /// The same.
    /// - Parameter willChange: called before every change to a file or directory, with what it is.
    package func publish(willChange: (_ change: String) throws -> Void) throws -> Report {
        try Self.publish(job, to: output, willChange: willChange)
        let report = try Report.read("\(output)/report.json")
        try willChange("remove the job")
        try Self.discard(job.path, in: output)
        return report
    }

    private static func publish(
        _ job: JobDirectory, to output: String, willChange: (String) throws -> Void = { _ in }
    ) throws {
        func move(_ name: String, from source: String, to target: String) throws {
            guard LocalFileSystem().exists("\(source)/\(name)") else { return }
            try willChange("move \(name) to \(target)")
            try LocalFileSystem().rename("\(source)/\(name)", to: "\(target)/\(name)")
        }
        let names = ResultWriter.fileNames
        // As long as the first file of the new result waits, whatever is in the output is of an earlier one.
        if LocalFileSystem().exists("\(job.resultPath)/\(names[0])"),
            names.contains(where: { LocalFileSystem().exists("\(output)/\($0)") })
        {
            let replaced = "\(job.path)/\(replacedName)"
            try LocalFileSystem().makeDirectories(replaced)
            for (count, name) in names.reversed().enumerated() {
                try move(name, from: output, to: replaced)
                if count == 0 { try LocalFileSystem().synchroniseDirectory(output) }
            }
            try LocalFileSystem().synchroniseDirectory(output)
        }
        for name in names {
            // The report must not reach the disk before what it stands for, and nothing before the first file.
            if name == names.last { try LocalFileSystem().synchroniseDirectory(output) }
            try move(name, from: job.resultPath, to: output)
            if name == names.first { try LocalFileSystem().synchroniseDirectory(output) }
        }
        try LocalFileSystem().synchroniseDirectory(output)
    }

    /// Removes a job that no run of has made a step, and the directories that were made for it: what was refused leaves
    /// nothing behind.
    public func discardUnbegun() throws {
        let generations = try CheckpointStore(directory: job.path).generations()
        guard generations.isEmpty, !job.isFinished, JobRun.history(of: job).allSatisfy({ $0.lastStep == 0 }) else {
            return
        }
        try Self.discard(job.path, in: output)
        // Those that others have put something into stay.
        for directory in madeDirectories where rmdir(directory) != 0 { return }
    }

    private static func digest(of input: String) throws -> (hexadecimal: String, bytes: Int) {
        try JobDirectory.digest(of: input, largest: ImageLimits.default.maximumFileBytes)
    }

    /// The directories on the way to a path that are not there, the innermost first.
    private static func missingDirectories(_ path: String) -> [String] {
        var missing: [String] = []
        var path = path
        while !path.isEmpty, !LocalFileSystem().exists(path) {
            missing.append(path)
            let parent = TextPath.parent(of: path)
            path = parent == "." ? "" : parent
        }
        return missing
    }

    /// Removes a job directory that nobody works on; under another name first, so that half of one is never found.
    private static func discard(_ path: String, in output: String) throws {
        let discarded = "\(output)/\(discardedName)"
        if let job = try? JobDirectory.open(path) {
            let lock = try JobLock(job)
            defer { withExtendedLifetime(lock) {} }
            try LocalFileSystem().rename(path, to: discarded)
        } else {
            try LocalFileSystem().rename(path, to: discarded)
        }
        try LocalFileSystem().synchroniseDirectory(output)
        try LocalFileSystem().remove(discarded)
    }
}
