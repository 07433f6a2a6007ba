import Checkpointing
import Foundation
import Imaging
import Jobs
import Restoration
import Tensors
import TestSupport
import Testing

/// Stopping `dkp restore` as people and terminals do.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct StopTests {
    private static let command = [
        "restore", "x.png", "--output", "out", "--scale", "2", "--steps", "5000", "--threads", "1", "--precision",
        "f32",
        "--checkpoint-interval", "3600",
    ]

    private func withInput(_ body: (String) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let image = Tensor<Float>(shape: [1, 16, 16], (0..<256).map { Float($0 % 11) / 11 })
            try Image(colour: image).writePNG(to: "\(directory)/x.png")
            try body(directory)
        }
    }

    private func waitUntil(_ process: Process, _ isReached: () throws -> Bool) throws {
        while try !isReached() {
            try #require(process.isRunning)
            usleep(5_000)
        }
    }

    private func waitForSteps(_ process: Process, in directory: String) throws {
        try waitUntil(process) {
            guard let job = try? JobDirectory.open("\(directory)/out/.job") else { return false }
            return (try? JobProgress.read(of: job).step > 0) ?? false
        }
    }

    private func generations(in directory: String) throws -> [Int] {
        try CheckpointStore(directory: "\(directory)/out/.job").generations().map(\.step)
    }

    @Test(arguments: [
        [SIGHUP], [SIGINT], [SIGTERM], [SIGINT, SIGINT], [SIGINT, SIGINT, SIGINT, SIGINT, SIGINT], [SIGHUP, SIGTERM],
        [SIGHUP, SIGHUP, SIGTERM],
    ])
    func `signals close upon each other stop it with a checkpoint`(_ signals: [Int32]) throws {
        try withInput { directory in
            let process = try Program.start(Self.command, in: directory)
            try waitForSteps(process, in: directory)
            for signal in signals {
                kill(process.processIdentifier, signal)
                // So that each is delivered: those of one kind that wait are one.
                usleep(20_000)
            }
            let run = try Program.finish(process, in: directory)
            #expect(run.status == 75, "\(run.errors)")
            #expect(run.errors.contains("checkpoint written"))
            let steps = try generations(in: directory)
            #expect(steps.count == 1 && steps[0] > 0)
            #expect(try CheckpointStore(directory: "\(directory)/out/.job").latest() != nil)
        }
    }

    @Test func `started by nohup, it does not stop when the terminal closes`() throws {
        try withInput { directory in
            var command = Self.command
            command[command.firstIndex(of: "5000") ?? 0] = "40"
            let process = try Program.start([try Program.path("dkp")] + command, at: "/usr/bin/nohup", in: directory)
            try waitForSteps(process, in: directory)
            kill(process.processIdentifier, SIGHUP)
            let run = try Program.finish(process, in: directory)
            #expect(run.status == 0, "\(run.errors)")
        }
    }

    /// Starts the command on a terminal of its own, whose keyboard is the returned handle; what the terminal shows is in
    /// `.output`.
    private func startOnTerminal(in directory: String) throws -> (process: Process, keyboard: FileHandle) {
        let keyboard = Pipe()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        let line = ([try Program.path("dkp")] + Self.command).joined(separator: " ")
        process.arguments = ["--quiet", "--flush", "--return", "--command", "stty cols 80; exec \(line)", "/dev/null"]
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ["OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"]
        for name in ["output", "errors"] { try Data().write(to: URL(fileURLWithPath: "\(directory)/.\(name)")) }
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(directory)/.output"))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(directory)/.errors"))
        process.standardInput = keyboard
        try process.run()
        return (process, keyboard.fileHandleForWriting)
    }

    @Test func `typed Ctrl-C twice on a terminal stops it with a checkpoint and breaks no line`() throws {
        try withInput { directory in
            let (process, keyboard) = try startOnTerminal(in: directory)
            try waitForSteps(process, in: directory)
            try waitUntil(process) {
                String(decoding: try bytes("\(directory)/.output"), as: UTF8.self).contains("step 2")
            }
            try keyboard.write(contentsOf: Data([3]))
            usleep(20_000)
            try keyboard.write(contentsOf: Data([3]))
            let run = try Program.finish(process, in: directory)
            #expect(run.status == 75, "\(run.output)")
            #expect(try generations(in: directory).count == 1)
            #expect(run.output.contains("^C") && run.output.contains("checkpoint written"), "\(run.output)")
            let lines = run.output.replacing("\u{1B}[K", with: "").split { $0.isNewline || $0 == "\r" }
            #expect(lines.contains { $0.contains("^C") })
            for line in lines where line.hasPrefix("[") || line.contains("^C") { #expect(line.count < 80, "\(line)") }
        }
    }

    @Test func `a terminal that is gone stops it with a checkpoint`() throws {
        try withInput { directory in
            let (process, keyboard) = try startOnTerminal(in: directory)
            try waitForSteps(process, in: directory)
            let worker = try JobProgress.read(of: JobDirectory.open("\(directory)/out/.job")).pid
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            while kill(worker, 0) == 0 { usleep(10_000) }
            try keyboard.close()
            #expect(try generations(in: directory).count == 1)
        }
    }
}
