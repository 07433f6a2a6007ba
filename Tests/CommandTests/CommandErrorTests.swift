import Failures
import Foundation
import Jobs
import Restoration
import TestSupport
import Testing

@Suite struct CommandErrorTests {
    @Test func `an input that is not there exits 66`() throws {
        try withTemporaryDirectory { directory in
            let run = try Program.dkp("restore", "none.png", "--output", "out", in: directory)
            #expect(run.status == 66)
            #expect(run.errors.contains("none.png"))
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/out"))
        }
    }

    @Test(arguments: ["", "not an image"])
    func `a file that is no image exits 65`(_ content: String) throws {
        try withTemporaryDirectory { directory in
            try Data(content.utf8).write(to: URL(fileURLWithPath: "\(directory)/x.png"))
            let run = try Program.dkp("restore", "x.png", "--output", "out", in: directory)
            #expect(run.status == 65)
            #expect(run.errors.contains("not a PNG, JPEG or TIFF image"))
        }
    }

    @Test func `a directory exits 65`() throws {
        try withTemporaryDirectory { directory in
            let run = try Program.dkp("restore", "/", "--output", "out", in: directory)
            #expect(run.status == 65)
        }
    }

    @Test(arguments: [
        ["restore"], ["restore", "x.png"], ["restore", "x.png", "--output", "o", "--bogus"], ["bogus"],
        ["degrade", "x.png", "--output", "y.png", "--scale", "4"],
        ["degrade", "x.png", "--output", "y.png", "--scale", "4", "--kernel", "box"],
        ["evaluate", "x.png", "y.png", "--scale", "5"], ["sample-scene", "x.png", "--size", "1x1"],
        ["sample", "--output", "x.png"], ["sample", "--weights", "w.h5", "--output", "x.png", "--threads", "0"],
    ])
    func `a command line that makes no sense exits 64`(_ arguments: [String]) throws {
        try withTemporaryDirectory { directory in
            let run = try Program.finish(Program.start(arguments, in: directory), in: directory)
            #expect(run.status == 64)
            #expect(run.errors.contains("Usage"))
        }
    }

    @Test(arguments: [
        ("--scale", "5"), ("--steps", "many"), ("--seed", "-1"), ("--kernel", "box"), ("--method", "magic"),
        ("--diffusion-steps", "0"), ("--diffusion-sampler", "plms"), ("--eta", "1.5"), ("--data-consistency", "both"),
        ("--class-label", "cat"),
    ])
    func `a setting out of range exits 78 and names flag, value and range`(_ flag: String, _ value: String) throws {
        try withTemporaryDirectory { directory in
            let run = try Program.dkp("restore", "x.png", "--output", "out", "\(flag)=\(value)", in: directory)
            #expect(run.status == 78)
            #expect(run.errors.contains(flag) && run.errors.contains(value) && run.errors.contains("allowed"))
        }
    }

    @Test func `a program whose weights are missing exits 69 and says how to get them`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "x.png", "--size", "16x16", in: directory)
            // Neither in a checkout nor installed.
            try FileManager.default.copyItem(atPath: Program.path("dkp"), toPath: "\(directory)/dkp")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "\(directory)/dkp")
            process.arguments = [
                "restore", "\(directory)/x.png", "--output", "\(directory)/out", "--method", "pnp-dkp",
            ]
            let errors = Pipe()
            process.standardError = errors
            try process.run()
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 69)
            #expect(text.contains("natural-images.h5") && text.contains("install the package again"), "\(text)")
        }
    }

    @Test func `weights that are not there exit 69 and list the folder`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "x.png", "--size", "16x16", in: directory)
            try Data().write(to: URL(fileURLWithPath: "\(directory)/faces.h5"))
            for arguments in [
                ["restore", "x.png", "--output", "out", "--method", "diff-dkp", "--weights", "cats.h5"],
                ["sample", "--weights", "cats.h5#small", "--output", "y.png"],
                ["inspect", "cats.h5", "--run-example"],
            ] {
                let run = try Program.finish(Program.start(arguments, in: directory), in: directory)
                #expect(run.status == 69, "\(arguments)")
                #expect(run.errors.contains("cats.h5") && run.errors.contains("faces.h5"), "\(run.errors)")
            }
        }
    }

    @Test func `a result that is there exits 73 and stays`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "x.png", "--size", "16x16", in: directory)
            try FileManager.default.createDirectory(atPath: "\(directory)/out", withIntermediateDirectories: false)
            try Data("mine".utf8).write(to: URL(fileURLWithPath: "\(directory)/out/restored.png"))
            let run = try Program.dkp("restore", "x.png", "--output", "out", in: directory)
            #expect(run.status == 73)
            #expect(run.errors.contains("--force"))
            #expect(try bytes("\(directory)/out/restored.png") == Array("mine".utf8))
        }
    }

    @Test func `an output that is a file exits 73`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "x.png", "--size", "16x16", in: directory)
            let run = try Program.dkp("restore", "x.png", "--output", "x.png", in: directory)
            #expect(run.status == 73)
        }
    }

    @Test func `an unfinished job of other settings exits 78, of another image 65`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "x.png", "--size", "16x16", in: directory)
            _ = try Program.dkp("sample-scene", "y.png", "--size", "16x32", in: directory)
            _ = try ForegroundJob(
                input: "\(directory)/x.png", output: "\(directory)/out", settings: RestorationSettings())
            let settings = try Program.dkp("restore", "x.png", "--output", "out", "--seed", "3", in: directory)
            #expect(settings.status == 78)
            #expect(settings.errors.contains("--restart") && settings.errors.contains("seed 0, now 3"))
            let image = try Program.dkp("restore", "y.png", "--output", "out", in: directory)
            #expect(image.status == 65)
            #expect(image.errors.contains("--restart"))
        }
    }

    @Test func `a job directory that is none exits 66`() throws {
        try withTemporaryDirectory { directory in
            let run1 = try Program.dkp("work", "nowhere", in: directory)
            #expect(run1.status == 66)
            let run2 = try Program.dkp("work", ".", in: directory)
            #expect(run2.status == 66)
        }
    }

    @Test func `the worker's error is in error.json and its exit code`() throws {
        try withTemporaryDirectory { directory in
            try Data("text".utf8).write(to: URL(fileURLWithPath: "\(directory)/x.png"))
            let job = try JobDirectory.create(
                in: directory, input: "\(directory)/x.png", settings: RestorationSettings(), name: "job")
            let run = try Program.dkp("work", "job", in: directory)
            #expect(run.status == 65)
            let failure = try JSONDecoder().decode(FailureReport.self, from: Data(bytes(job.errorPath)))
            #expect(failure.exitCode == 65)
            #expect(failure.message.contains("not a PNG, JPEG or TIFF image"))
        }
    }
}
