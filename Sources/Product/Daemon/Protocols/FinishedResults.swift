import Files
import Foundation
import Jobs
import Synchronization
import SystemPackage

/// Knows which images with which settings have been restored, from the reports in the outbox. Each report is read once;
/// a result that someone takes away is forgotten.
final class FinishedResults: Sendable {
    /// What determines a result.
    private struct Question: Hashable {
        var inputSHA256: String
        var settings: RestorationSettings
    }

    /// The part of a report that is of interest; those of later versions may have more.
    private struct Excerpt: Decodable {
        var inputSHA256: String
        var settings: RestorationSettings

        enum CodingKeys: String, CodingKey {
            case settings
            case inputSHA256 = "input_sha256"
        }
    }

    private struct State {
        /// The outbox when it was last listed, and when that was, nanoseconds since 1970.
        var outbox: FileStatus?
        var listed: Int64 = 0
        var results: [FilePath.Component: (status: FileStatus, question: Question?)] = [:]
        var names: [Question: Set<FilePath.Component>] = [:]
    }

    /// Times of files may be as coarse as this: a change so soon before a listing may hide a later one.
    private static let coarseness: Int64 = 2_000_000_000

    private static let report = "report.json"
    private static let sizeLimit = 4 << 20

    private let folder: StateFolder
    private let files: any FileSystem
    private let state = Mutex(State())

    init(_ folder: StateFolder, files: any FileSystem) {
        self.folder = folder
        self.files = files
    }

    /// The place of the result that an image has already, nil if it has none.
    func result(of input: JobInput, _ settings: RestorationSettings) throws(FileError) -> FilePath? {
        let question = Question(inputSHA256: input.sha256, settings: settings.determiningResult)
        return try state.withLock { state throws(FileError) in
            try refresh(&state)
            return state.names[question]?.min { $0.string < $1.string }.map { folder.outbox.appending($0) }
        }
    }

    private func refresh(_ state: inout State) throws(FileError) {
        // Asked before the listing: what comes during it is found by the next.
        let outbox = try files.status(folder.outbox)
        if let outbox, outbox == state.outbox, state.listed &- outbox.changed > Self.coarseness { return }
        state.listed = Int64(Date().timeIntervalSince1970 * 1e9)
        var present: Set<FilePath.Component> = []
        for name in try files.entries(folder.outbox) {
            // One that cannot be asked is none that could be named.
            guard let status = (try? files.status(folder.outbox.appending(name))) ?? nil else { continue }
            present.insert(name)
            if state.results[name]?.status == status { continue }
            forget(name, &state)
            let question = read(name)
            state.results[name] = (status, question)
            if let question { state.names[question, default: []].insert(name) }
        }
        for name in state.results.keys where !present.contains(name) { forget(name, &state) }
        state.outbox = outbox
    }

    private func forget(_ name: FilePath.Component, _ state: inout State) {
        guard let question = state.results.removeValue(forKey: name)?.question else { return }
        state.names[question]?.remove(name)
        if state.names[question]?.isEmpty == true { state.names[question] = nil }
    }

    /// What a result answers; nil for what is none or cannot be read.
    private func read(_ name: FilePath.Component) -> Question? {
        let path = folder.outbox.appending(name).appending(Self.report)
        guard let bytes = try? files.read(path, limit: Self.sizeLimit),
            let excerpt = try? JSONDecoder().decode(Excerpt.self, from: Data(bytes))
        else { return nil }
        return Question(inputSHA256: excerpt.inputSHA256, settings: excerpt.settings.determiningResult)
    }
}
