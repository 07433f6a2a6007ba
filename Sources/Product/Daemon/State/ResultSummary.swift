import Files
import Foundation
import Jobs
import SystemPackage

/// What the daemon needs to know of a result, read from its `report.json`: the few entries that all versions of that file
/// have, so that results of other versions of the program are known too.
struct ResultSummary: Decodable {
    var format: String
    var jobID: String
    var originalName: String
    var finished: Date

    enum CodingKeys: String, CodingKey {
        case format, finished
        case jobID = "job_id"
        case originalName = "original_name"
    }

    /// Reads a result's summary; nil if it is none of this program's.
    static func read(from result: FilePath, _ files: some FileSystem) -> ResultSummary? {
        let path = result.appending(JobFiles.report)
        guard (try? files.status(path))??.kind == .regular, let bytes = try? files.read(path, limit: 1 << 24) else {
            return nil
        }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let summary = try? decoder.decode(ResultSummary.self, from: Data(bytes)),
            summary.format == Software.reportFormat
        else { return nil }
        return summary
    }
}
