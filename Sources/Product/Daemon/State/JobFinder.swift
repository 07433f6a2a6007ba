import Failures
package import Files
import Foundation
import Jobs
package import SystemPackage

/// A job, wherever it now is, as a person may call it.
package struct FoundJob: Sendable, Equatable {
    /// Where it is.
    package enum Place: String, Sendable, CaseIterable {
        case jobs, outbox, rejected
    }

    /// Where it is.
    package var place: Place
    /// Its identifier, if its files tell.
    package var id: String?
    /// The dropped file's name, as text.
    package var name: String
    /// Its directory.
    package var path: FilePath

    /// A line to tell it from others.
    package var words: String { "\(place.rawValue)/\(path.lastComponent?.string ?? "")  \(name)  \(id ?? "")" }
}

/// Finds the one job that is meant by its identifier, the beginning of that, the image's name or the result's name.
package struct JobFinder {
    private let folder: StateFolder
    private let files: any FileSystem

    package init(_ folder: StateFolder, files: any FileSystem = LocalFileSystem()) {
        self.folder = folder
        self.files = files
    }

    /// The job that is meant.
    ///
    /// The name of a directory or an identifier in full, or an image's full name, goes before a mere beginning and before
    /// a name without its extension.
    /// - Throws: ``RestorationError`` with code `noInput`, or `usage` naming all that could be meant; ``FileError``.
    package func find(_ text: String, in places: [FoundJob.Place] = FoundJob.Place.allCases) throws -> FoundJob {
        var full: [FoundJob] = []
        var partial: [FoundJob] = []
        for place in places {
            for job in try jobs(in: place, named: text) {
                let directory = job.path.lastComponent?.string
                if job.id == text || directory == text || job.name == text {
                    full.append(job)
                } else if job.id?.hasPrefix(text) == true || FilePath(job.name).lastComponent?.stem == text {
                    partial.append(job)
                }
            }
        }
        let found = full.isEmpty ? partial : full
        guard let first = found.first, !text.isEmpty else {
            let folders = places.map(\.rawValue).joined(separator: ", ")
            throw RestorationError(
                .noInput, "\(text): no such job in \(folders) of \(folder.root.readable)",
                remedy: "dkp status lists the jobs")
        }
        guard found.count == 1 else {
            let list = found.map { "\n  \(PrintableText.line($0.words))" }.joined()
            throw RestorationError(
                .usage, "\(text): \(found.count) jobs could be meant:\(list)\nsay which, by its identifier")
        }
        return first
    }

    /// The jobs in a place that could be meant, and perhaps others. Of results, of which there may be very many, only
    /// those are opened whose names let one hope.
    private func jobs(in place: FoundJob.Place, named text: String) throws -> [FoundJob] {
        let root =
            switch place {
            case .jobs: folder.jobs
            case .outbox: folder.outbox
            case .rejected: folder.rejected
            }
        let stem = ResultName.make(fromText: text)
        let isIdentifier = text.utf8.allSatisfy { 48...57 ~= $0 || $0 == UInt8(ascii: "-") }
        return try files.entries(root).compactMap { entry in
            let name = entry.string
            let path = root.appending(entry)
            switch place {
            case .jobs:
                guard JobID(name) != nil else { return nil }
                let known = (try? JobLedger.read(from: path, files))?.name ?? JobFiles.originalName(of: path)
                return FoundJob(place: place, id: name, name: known ?? "?", path: path)
            case .outbox:
                guard isIdentifier || name == text || name.hasPrefix(stem) else { return nil }
                let report = ResultSummary.read(from: path, files)
                return FoundJob(place: place, id: report?.jobID, name: report?.originalName ?? name, path: path)
            case .rejected:
                guard isIdentifier || name == text || name.hasPrefix(stem) else { return nil }
                let report = RejectionReport.read(from: path, files)
                return FoundJob(place: place, id: report?.job, name: report?.name ?? name, path: path)
            }
        }.sorted { $0.path.string < $1.path.string }
    }
}
