import Files
import SystemPackage

/// Puts aside what lies in a job's directory under a name in use and is of another kind than belongs there (a directory
/// where a file is expected, a FIFO, a link), or is only half of what it should be, so that neither daemon nor worker
/// ever meets it and the job goes on.
///
/// Nothing is removed: what is in the way is renamed to `.odd-NAME`, and goes with the job's directory. The input and
/// `job.json`, without which there is no job, stay as they are: the worker refuses them with the reason.
///
/// For whoever holds the job while no worker is at it.
struct JobRepair {
    private let files: any FileSystem

    /// How the names of what was put aside begin.
    static let prefix = ".odd-"

    init(_ files: any FileSystem) { self.files = files }

    /// Puts the directory of a job in order.
    /// - Returns: sentences on what was put aside.
    func repair(_ job: FilePath) throws(FileError) -> [String] {
        var notes: [String] = []
        for name in try files.entries(job) {
            guard let expected = Self.kind(of: name.string), let found = try files.status(job.appending(name))?.kind,
                found != expected
            else { continue }
            notes.append(try putAside(name, in: job, "it is a \(found.rawValue), not a \(expected.rawValue)"))
        }
        let rejection = job.appending(JobFiles.rejection)
        if try files.status(rejection) != nil {
            for text in [JobFiles.error, JobFiles.log, JobFiles.record, JobFiles.settings] {
                guard let name = FilePath.Component(text),
                    let found = try files.status(rejection.appending(name))?.kind, found != .regular
                else { continue }
                notes.append(try putAside(name, in: rejection, "it is a \(found.rawValue), not a regular file"))
            }
        }
        let result = job.appending(JobFiles.result)
        if let name = result.lastComponent, try files.status(result) != nil,
            try !JobFiles.isComplete(result: result, files)
        {
            try takeBack(from: result, into: job)
            let reason = "it lacks a \(JobFiles.report) or a \(JobFiles.image) with something in it"
            notes.append(try putAside(name, in: job, reason))
        }
        return notes
    }

    /// What belongs under a name; nil where that is nobody's business here.
    private static func kind(of name: String) -> FileStatus.Kind? {
        switch name {
        case JobLedger.fileName, JobFiles.progress, JobFiles.runs, JobFiles.error, JobFiles.log, JobFiles.lock,
            JobFiles.settings:
            .regular
        case JobFiles.result, JobFiles.rejection, JobFiles.dropped: .directory
        default: name.hasPrefix("checkpoint-") && name.hasSuffix(".h5") ? .regular : nil
        }
    }

    /// Moves the input and the log, which a publication may have renamed into a result, back to where the work begins.
    private func takeBack(from result: FilePath, into job: FilePath) throws(FileError) {
        if try JobFiles.input(of: job, files) == nil, let input = try JobFiles.input(of: result, files),
            let name = input.lastComponent
        {
            try files.rename(input, to: job.appending(name))
        }
        let log = result.appending(JobFiles.log)
        if try files.status(log)?.kind == .regular, try files.status(job.appending(JobFiles.log)) == nil {
            try files.rename(log, to: job.appending(JobFiles.log))
        }
    }

    private func putAside(
        _ name: FilePath.Component, in directory: FilePath, _ reason: String
    ) throws(FileError) -> String {
        let path = directory.appending(name)
        var number = 1
        while true {
            let aside = Self.prefix + ResultName.numbered(name.string, number)
            do throws(FileError) {
                try files.renameExclusively(path, to: directory.appending(aside))
                return "\(path.readable) was put aside as \(aside): \(reason)"
            } catch {
                guard error.isTaken else { throw error }
                number += 1
            }
        }
    }
}
