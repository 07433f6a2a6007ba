import Foundation

/// A job run in the foreground, kept in the hidden directory `.job` of its output directory until it is done.
public struct ForegroundJob: Sendable {
    /// Where the result goes.
    public let output: String
    /// The job, at `output/.job`.
    public let job: JobDirectory
    /// Whether the job was begun by an earlier call.
    public let wasBegun: Bool

    private static let jobName = ".job"
    private static let discardedName = ".job-discarded"

    /// Creates the job, or finds the one that an interrupted call left.
    /// - Parameters:
    ///   - restart: throws an unfinished job away, whatever it is.
    ///   - force: writes over a result that is there.
    /// - Throws: ``FileSystemError`` if the input is missing or the output cannot be made; ``RestorationError`` with code
    ///   `cannotCreate` for a result that is there, `badInput` or `badSettings` for an unfinished job of another input or
    ///   other settings, `busy` for one that is being worked on.
    public init(
        input: String, output: String, settings: RestorationSettings, references: JobRecord.References? = nil,
        restart: Bool = false, force: Bool = false
    ) throws {
        self.output = output
        let digest = try JobDirectory.digest(of: input)
        try FileSystem.makeDirectories(output)
        try FileSystem.remove("\(output)/\(Self.discardedName)")
        _ = try JobDirectory.recoverUnfinished(in: output)

        let path = "\(output)/\(Self.jobName)"
        if FileSystem.exists(path), restart { try Self.discard(path, in: output) }
        if FileSystem.exists(path) {
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
        if !force, let name = ResultWriter.fileNames.first(where: { FileSystem.exists("\(output)/\($0)") }) {
            throw RestorationError(
                .cannotCreate, "\(output): holds \(name) of an earlier result already",
                remedy: "choose another --output, or --force to write over it")
        }
        job = try JobDirectory.create(
            in: output, input: input, settings: settings, name: Self.jobName, references: references)
        wasBegun = false
    }

    /// Moves a finished result into the output directory, the report last, and removes the job. Killed in between, it
    /// goes on when called again.
    /// - Returns: the report.
    public func publish() throws -> Report {
        for name in ResultWriter.fileNames where FileSystem.exists("\(job.resultPath)/\(name)") {
            try FileSystem.rename("\(job.resultPath)/\(name)", to: "\(output)/\(name)")
        }
        try FileSystem.synchroniseDirectory(output)
        let report = try Report.read("\(output)/report.json")
        try Self.discard(job.path, in: output)
        return report
    }

    /// Removes a job directory that nobody works on; under another name first, so that half of one is never found.
    private static func discard(_ path: String, in output: String) throws {
        let discarded = "\(output)/\(discardedName)"
        if let job = try? JobDirectory.open(path) {
            let lock = try JobLock(job)
            defer { withExtendedLifetime(lock) {} }
            try FileSystem.rename(path, to: discarded)
        } else {
            try FileSystem.rename(path, to: discarded)
        }
        try FileSystem.remove(discarded)
    }
}
