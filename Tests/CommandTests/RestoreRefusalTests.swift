import Foundation
import Imaging
import Restoration
import Tensors
import TestSupport
import Testing

/// What `dkp restore` refuses, with which exit code, and that it leaves nothing behind.
@Suite struct RestoreRefusalTests {
    private func makeInput(_ directory: String, _ name: String = "x.png") throws {
        let image = Tensor<Float>(shape: [1, 8, 9], (0..<72).map { Float($0 % 7) / 7 })
        try Image(colour: image).writePNG(to: "\(directory)/\(name)")
    }

    @Test(arguments: ["", "/dev/null/x", "x.png/out", "/proc/none/out"])
    func `an output that cannot be made exits 73`(_ output: String) throws {
        try withTemporaryDirectory { directory in
            try makeInput(directory)
            let run = try Program.dkp("restore", "x.png", "--output", output, "--scale", "2", in: directory)
            #expect(run.status == 73, "\(run.errors)")
        }
    }

    @Test(arguments: [
        ["restore", "x.png", "--output", "out"], ["inspect", "x.png"], ["evaluate", "x.png", "x.png", "--scale", "2"],
    ])
    func `an input that may not be read exits 66`(_ arguments: [String]) throws {
        try withTemporaryDirectory { directory in
            try makeInput(directory)
            #expect(chmod("\(directory)/x.png", 0) == 0)
            let run = try Program.withoutPrivileges(arguments, in: directory)
            #expect(run.status == 66, "\(run.errors)")
            #expect(run.errors.contains("x.png: cannot read") && run.errors.contains("check"), "\(run.errors)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/out"))
        }
    }

    @Test func `what is refused is named as it was given and leaves nothing`() throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.createDirectory(atPath: "\(directory)/photos", withIntermediateDirectories: false)
            try Data("not an image".utf8).write(to: URL(fileURLWithPath: "\(directory)/photos/cat.png"))
            let run = try Program.dkp("restore", "photos/cat.png", "--output", "a/out", in: directory)
            #expect(run.status == 65)
            #expect(run.errors.contains("photos/cat.png: ") && !run.errors.contains(".job"), "\(run.errors)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/a"))
            // So the next image is not in its way.
            try makeInput(directory)
            let next = try Program.dkp(
                "restore", "x.png", "--output", "a/out", "--scale", "2", "--steps", "1", in: directory)
            #expect(next.status == 0, "\(next.errors)")
        }
    }

    @Test func `a sparse file beyond all limits exits 65 at once`() throws {
        try withTemporaryDirectory { directory in
            let path = "/dev/shm/dkp-test-\(UUID().uuidString)"
            let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
            try #require(descriptor >= 0 && ftruncate(descriptor, .max) == 0)
            defer {
                close(descriptor)
                unlink(path)
            }
            let run = try Program.dkp("restore", path, "--output", "out", in: directory)
            #expect(run.status == 65, "\(run.errors)")
            #expect(run.errors.contains("above the limit of 536870912 bytes"), "\(run.errors)")
        }
    }

    @Test func `a photograph that no memory holds exits 65 with what would fit`() throws {
        try withTemporaryDirectory { directory in
            let photograph = Image(colour: Tensor<Float>(shape: [1, 3000, 4000], repeating: 0.5))
            try photograph.writePNG(to: "\(directory)/phone.png")
            let run = try Program.dkp("restore", "phone.png", "--output", "out", in: directory)
            #expect(run.status == 65, "\(run.errors)")
            #expect(run.errors.contains("phone.png: 4000 x 3000 pixels at scale 4 need about"), "\(run.errors)")
            #expect(run.errors.contains("crop the image to "), "\(run.errors)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/out"))
        }
    }

    @Test func `a limit of the process's memory counts`() throws {
        try withTemporaryDirectory { directory in
            try makeInput(directory)
            let restore = ["restore", "x.png", "--output", "out", "--scale", "2"]
            let run = try Program.finish(
                Program.start(
                    ["--data=200000000", Program.path("dkp")] + restore, at: "/usr/bin/prlimit", in: directory),
                in: directory)
            #expect(run.status == 65, "\(run.errors)")
            #expect(run.errors.contains("the process's limit of data is 191 MiB"), "\(run.errors)")
        }
    }

    @Test func `a finished restoration repeated exits 0, says so and changes nothing`() throws {
        try withTemporaryDirectory { directory in
            try makeInput(directory)
            let command = ["restore", "x.png", "--output", "out", "--scale", "2", "--steps", "1"]
            func run(_ more: String...) throws -> Finished {
                try Program.finish(Program.start(command + more, in: directory), in: directory)
            }
            let first = try run()
            #expect(first.status == 0 && first.errors.contains("of memory"), "\(first.errors)")
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/out").sorted()
            let report = try bytes("\(directory)/out/report.json")
            let again = try run("--threads", "1")
            #expect(again.status == 0 && again.output.contains("done already"), "\(again.output)\(again.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory)/out").sorted() == names)
            #expect(try bytes("\(directory)/out/report.json") == report)
            #expect(try run("--seed", "4").status == 73)
            #expect(try run("--restart").status == 73)
            #expect(try run("--force").output.contains("done already") == false)
        }
    }
}
