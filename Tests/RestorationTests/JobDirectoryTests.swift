import Failures
import Files
import Foundation
import Imaging
import Jobs
import Restoration
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

    @Test func `a moved input is gone from where it was`() throws {
        try withTemporaryDirectory { directory in
            let input = "\(directory)/cat.png"
            try picture().writePNG(to: input)
            let content = try bytes(input)
            let job = try JobDirectory.create(
                in: directory, input: input, settings: toySettings(), name: "cat", transfer: .move)
            #expect(!FileManager.default.fileExists(atPath: input))
            #expect(try bytes(job.inputPath) == content)
            #expect(job.record.originalName == "cat.png")
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
            #expect(error.code == .notRegular)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
        }
    }

    @Test func `a symbolic link is not moved into a job`() throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/link.png", withDestinationPath: "/etc/passwd")
            #expect(throws: FileError.self) {
                try JobDirectory.create(
                    in: directory, input: "\(directory)/link.png", settings: toySettings(), name: "job",
                    transfer: .move)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["link.png"])
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

    @Test func `an input that changed while it was moved gets its own digest`() throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory)
            try FileManager.default.moveItem(atPath: job.path, toPath: "\(directory)/.new-job")
            try picture(channels: 1).writePNG(to: "\(directory)/.new-job/input.png")
            let recovered = try #require(try JobDirectory.recoverUnfinished(in: directory).first)
            #expect(recovered.record.inputSHA256 != job.record.inputSHA256)
            #expect(try toyWorker(recovered).run() == .finished)
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
