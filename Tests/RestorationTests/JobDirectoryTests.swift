import Failures
import Files
import Foundation
import Imaging
import Jobs
import Restoration
import SystemPackage
import TestSupport
import Testing

@Suite struct JobDirectoryTests {
    @Test func `a job holds the input and says what was asked`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            let opened = try JobDirectory.open("\(directory)/job")
            // Times are kept to the second.
            #expect(opened.record.id == "job")
            #expect(opened.record.originalName == "picture.png")
            #expect(opened.record.settings == toySettings())
            #expect(opened.record.inputSHA256.count == 64)
            #expect(opened.record.inputSHA256 == job.record.inputSHA256)
            #expect(try bytes(opened.inputPath) == bytes("\(directory)/job-input.png"))
            #expect(opened.record.inputBytes == (try bytes(opened.inputPath)).count)
            #expect(!opened.isFinished)
        }
    }

    @Test func `the digest is SHA-256`() throws {
        try withTemporaryDirectory { directory in
            try Data("abc".utf8).write(to: URL(fileURLWithPath: "\(directory)/abc"))
            let job = try JobDirectory.create(
                in: directory, input: "\(directory)/abc", settings: toySettings(), name: "job")
            #expect(
                job.record.inputSHA256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        }
    }

    @Test func `a directory is made a job of a file beside it, which is moved into it`() throws {
        try withTemporaryDirectory { directory in
            let (root, file) = (FilePath(directory), FilePath(directory).appending("cat"))
            try picture().writePNG(to: file.string)
            let content = try bytes(file.string)
            let input = try JobInput(file)
            func prepare(_ settings: RestorationSettings) throws {
                try JobDirectory.prepare(
                    root, input: input, at: file, id: "7", originalName: "a cat.png", settings: settings,
                    LocalFileSystem())
            }
            var unusable = toySettings()
            unusable.scale = 7
            #expect(throws: SettingsError.self) { try prepare(unusable) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["cat"])

            try prepare(toySettings())

            #expect(
                try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == ["input.png", "job.json"])
            let job = try JobDirectory.open(directory)
            #expect(try bytes(job.inputPath) == content)
            #expect(job.record.originalName == "a cat.png" && job.record.id == "7")
            #expect(job.record.inputBytes == content.count)
            #expect(job.record.inputSHA256 == (try JobDirectory.digest(of: job.inputPath).hexadecimal))
        }
    }

    @Test func `a failed creation leaves nothing behind`() throws {
        try withTemporaryDirectory { directory in
            #expect(throws: FileError.self) {
                try JobDirectory.create(
                    in: directory, input: "\(directory)/none.png", settings: toySettings(), name: "job")
            }
            var settings = toySettings()
            settings.scale = 7
            #expect(throws: SettingsError.self) {
                try JobDirectory.create(in: directory, input: "/dev/null", settings: settings, name: "job")
            }
            let error = try #require(throws: FileError.self) {
                try JobDirectory.create(in: directory, input: directory, settings: toySettings(), name: "job")
            }
            #expect(error.code == .notARegularFile)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
        }
    }

    @Test func `a symbolic link is no input of a job`() throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/link.png", withDestinationPath: "/etc/passwd")
            #expect(throws: FileError.self) { try JobInput(FilePath(directory).appending("link.png")) }
        }
    }

    @Test func `a second job of the same name is refused`() throws {
        try withTemporaryDirectory { directory in
            _ = try makeJob(in: directory)
            let error = try #require(throws: FileError.self) { _ = try makeJob(in: directory) }
            #expect(error.code == .exists)
        }
    }

    @Test(arguments: ["", ".", "..", "a/b", "a\0b"])
    func `a name that is no name is refused`(_ name: String) throws {
        try withTemporaryDirectory { directory in
            let error = #expect(throws: RestorationError.self) {
                _ = try JobDirectory.create(in: directory, input: "/dev/null", settings: toySettings(), name: name)
            }
            #expect(error?.message.contains("job directory") == true)
        }
    }

    @Test func `a creation that was killed is completed if it holds its input, removed if not`() throws {
        try withTemporaryDirectory { directory in
            let files = FileManager.default
            let job = try makeJob(in: directory, name: "whole")
            try files.moveItem(atPath: job.path, toPath: "\(directory)/.new-whole")
            try files.createDirectory(atPath: "\(directory)/.new-empty", withIntermediateDirectories: false)
            try files.createDirectory(atPath: "\(directory)/.new-half", withIntermediateDirectories: false)
            try files.copyItem(atPath: "\(directory)/whole-input.png", toPath: "\(directory)/.new-half/input.png")

            let recovered = try JobDirectory.recoverUnfinished(in: directory)
            #expect(recovered.map(\.path) == ["\(directory)/whole"])
            #expect(try files.contentsOfDirectory(atPath: directory).sorted() == ["whole", "whole-input.png"])
            #expect(try JobDirectory.open("\(directory)/whole").record.inputSHA256 == job.record.inputSHA256)
        }
    }

    @Test(arguments: ["", "{", #"{"id": 1}"#])
    func `a job.json that is none is an error with its path`(_ content: String) throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            try Data(content.utf8).write(to: URL(fileURLWithPath: job.recordPath))
            let error = try #require(throws: RestorationError.self) { try JobDirectory.open(job.path) }
            #expect(error.message.contains(job.recordPath))
            #expect(FailureReport(error).exitStatus == .badInput)
        }
    }
}
