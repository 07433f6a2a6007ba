import Daemon
import Files
import Foundation
import Logging
import SystemPackage
import TestSupport
import Testing

@Suite struct `Keeping results for so many days` {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func withFolder(_ body: (StateFolder, Retention) throws -> Void) throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path).appending("state"))
            try folder.create(LocalFileSystem())
            try body(folder, Retention(folder, files: LocalFileSystem(), logger: Logger(label: "test")))
        }
    }

    /// A result that was finished so many days ago.
    private func makeResult(_ name: String, in folder: StateFolder, days: Double, job: String? = nil) throws {
        let directory = folder.outbox.appending(name)
        try LocalFileSystem().makeDirectory(directory)
        let finished = now.addingTimeInterval(-days * 86_400).formatted(.iso8601)
        // Only what reports of all versions have.
        let report = """
            {
              "finished": "\(finished)", "format": "dkp-report", "format_version": 1,
              "job_id": "\(job ?? "20260101-000000-0\(name.count + 10)")", "original_name": "cat.png"
            }
            """
        try drop(report, directory.appending("report.json"))
        try drop("image", directory.appending("restored.png"))
    }

    @Test func `removes results older than so many days, and nothing younger`() throws {
        try withFolder { folder, retention in
            try makeResult("old", in: folder, days: 30.1)
            try makeResult("young", in: folder, days: 29.9)
            try makeResult("from tomorrow", in: folder, days: -1)
            #expect(retention.removeResults(olderThan: 30, now: now) == ["old"])
            #expect(try names(folder.outbox) == ["from tomorrow", "young"])
            #expect(try names(folder.jobs) == [])
            #expect(retention.removeResults(olderThan: 30, now: now) == [])
        }
    }

    @Test func `removes nothing that is no result of this daemon`() throws {
        try withFolder { folder, retention in
            try makeResult("old", in: folder, days: 99)
            try FileManager.default.createSymbolicLink(
                atPath: folder.outbox.appending("link").string,
                withDestinationPath: folder.outbox.appending("old").string)
            try drop("a file", folder.outbox.appending("file"))
            try LocalFileSystem().makeDirectory(folder.outbox.appending("empty"))
            try makeResult("no job", in: folder, days: 99, job: "../../etc")
            try makeResult("another format", in: folder, days: 99)
            let report = folder.outbox.appending("another format").appending("report.json")
            try drop(try text(report).replacing("dkp-report", with: "other-report"), report)
            try makeResult("damaged", in: folder, days: 99)
            try drop("{", folder.outbox.appending("damaged").appending("report.json"))
            try LocalFileSystem().makeDirectory(folder.rejected.appending("old"))
            #expect(retention.removeResults(olderThan: 1, now: now) == ["old"])
            #expect(
                try names(folder.outbox) == ["another format", "damaged", "empty", "file", "link", "no job"].sorted())
            #expect(try names(folder.rejected) == ["old"])
        }
    }

    @Test func `follows no link out of a result`() throws {
        try withFolder { folder, retention in
            try makeResult("old", in: folder, days: 99)
            let precious = folder.root.appending("precious")
            try LocalFileSystem().makeDirectory(precious)
            try drop("x", precious.appending("file"))
            try FileManager.default.createSymbolicLink(
                atPath: folder.outbox.appending("old").appending("link").string, withDestinationPath: precious.string)
            #expect(retention.removeResults(olderThan: 1, now: now) == ["old"])
            #expect(try names(precious) == ["file"])
        }
    }
}
