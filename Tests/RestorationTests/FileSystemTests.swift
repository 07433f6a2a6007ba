import Checkpointing
import Failures
import Files
import Foundation
import Imaging
import Jobs
import Restoration
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Files of a job` {
    private func makePipe(_ path: String) { #expect(mkfifo(path, 0o600) == 0) }

    @Test func `that are named pipes are refused without waiting`() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/pipe"
            makePipe(path)
            let appending = try #require(throws: FileError.self) { _ = try FileWriter(appendingTo: path) }
            #expect(appending.code == .cannotCreate && appending.description.contains("no regular file"))
            let reading = try #require(throws: FileError.self) { try LocalFileSystem().contents(of: path) }
            #expect(reading.code == .notARegularFile)
            // With a reader, opening succeeds, and looking refuses it.
            let reader = open(path, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            let heard = try #require(throws: FileError.self) { _ = try FileWriter(creating: path) }
            #expect(heard.code == .cannotCreate && heard.description.contains("not a regular file"))
        }
    }

    @Test(arguments: ["job.log", "lock", "progress.json", "runs.json", "error.json", ".progress.json.tmp"])
    func `in the place of a worker's own do not hang it`(_ name: String) throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory, settings: toySettings(steps: 3))
            makePipe("\(job.path)/\(name)")
            if name == "lock" {
                let failure = try #require(throws: FailureReport.self) { try toyWorker(job).run() }
                #expect(failure.message.contains("lock") && failure.exitStatus == .cannotCreate)
            } else {
                #expect(try toyWorker(job).run() == .finished)
                #expect(FileManager.default.fileExists(atPath: "\(job.resultPath)/job.log"))
            }
        }
    }

    @Test func `that were left of a replacement by a killed process are replaced`() throws {
        try withTemporaryDirectory { directory in
            makePipe("\(directory)/" + DurableFile.temporaryName(of: "x.json", .fixed))
            try LocalFileSystem().write(Array("new".utf8), to: FilePath("\(directory)/x.json"))
            #expect(try text("\(directory)/x.json") == "new")
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["x.json"])
        }
    }

    @Test func `that cannot be renamed into place leave nothing`() throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(atPath: "\(directory)/x/y", withIntermediateDirectories: true)
            let error = try #require(throws: FileError.self) {
                try LocalFileSystem().replace("\(directory)/x", with: [1, 2, 3], durably: false)
            }
            #expect(error.code == .cannotCreate)
            #expect(throws: ImageError.self) { try picture().writePNG(to: "\(directory)/x") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["x"])
        }
    }

    @Test func `of any size are refused by it before they are read`() throws {
        // A file system that has files of this size.
        let path = "/dev/shm/dkp-test-\(UUID().uuidString)"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
        try #require(descriptor >= 0)
        defer {
            close(descriptor)
            unlink(path)
        }
        try #require(ftruncate(descriptor, .max) == 0)
        let error = try #require(throws: FileError.self) { try JobDirectory.digest(of: path, largest: 1000) }
        #expect(error.code == .tooLarge && error.description.contains("9223372036854775807 bytes"))
        #expect(throws: FileError.self) { try LocalFileSystem().contents(of: path, limit: 1000) }
    }

    @Test(arguments: [
        ("a", ".", "a"), ("a/", ".", "a"), ("a/b", "a", "b"), ("a//b//", "a", "b"), ("/a", "/", "a"), ("/", "/", "/"),
        ("//", "/", "/"), ("/a/b c", "/a", "b c"), ("./ü", ".", "ü"), ("", ".", ""),
    ])
    func `have a parent and a name whatever their path`(_ path: String, _ parent: String, _ name: String) {
        #expect(TextPath.parent(of: path) == parent)
        #expect(TextPath.name(of: path) == name || path.allSatisfy { $0 == "/" })
    }

    @Test(arguments: ["", "/dev/null/x", "/dev/null/x/y", "/proc/none", String(repeating: "n", count: 300)])
    func `and directories that cannot be made are told as outputs`(_ path: String) throws {
        let error = try #require(throws: FileError.self) { try LocalFileSystem().makeDirectories(path) }
        #expect(error.code == .cannotCreate, "\(error)")
        #expect(FailureReport(error).exitStatus == .cannotCreate)
    }

    @Test(arguments: ["", "/dev/null/x", "/proc/none", String(repeating: "n", count: 300)])
    func `that are not there are told as inputs`(_ path: String) throws {
        let error = try #require(throws: FileError.self) { try LocalFileSystem().contents(of: path) }
        #expect(error.code == .notFound, "\(error)")
    }
}
