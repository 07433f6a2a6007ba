import Checkpointing
import Foundation
import Imaging
import Jobs
import Restoration
import Tensors
import TestSupport
import Testing

@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct RestoreTests {
    private static let kills = 10

    private func makeInput(_ directory: String) throws {
        let scene = try Program.dkp("sample-scene", "hr.png", "--size", "32x24", in: directory)
        #expect(scene.status == 0)
        let low = try Program.dkp(
            "degrade", "hr.png", "--output", "lr.png", "--scale", "2", "--kernel", "gaussian", "--save-kernel", "k.h5",
            in: directory)
        #expect(low.status == 0)
    }

    /// The arguments that restore the input into `output`.
    private func restore(_ precision: String, to output: String) -> [String] {
        [
            "restore", "lr.png", "--output", output, "--scale", "2", "--kernel", "auto", "--steps", "200", "--threads",
            "2", "--precision", precision,
        ]
    }

    /// The step of the newest checkpoint in `out`, 0 before the first.
    private func checkpointedStep(in directory: String) throws -> Int {
        let job = "\(directory)/out/.job"
        guard FileManager.default.fileExists(atPath: job) else { return 0 }
        return try CheckpointStore(directory: job).generations().first?.step ?? 0
    }

    /// Waits until a process has written a checkpoint of a later step or, where few steps are left, has begun to step;
    /// false if it ends before.
    private func waitForProgress(of process: Process, after step: Int, in directory: String) throws -> Bool {
        while process.isRunning {
            if try checkpointedStep(in: directory) > step { return true }
            if step > 150, let job = try? JobDirectory.open("\(directory)/out/.job"),
                let progress = try? JobProgress.read(of: job), progress.pid == process.processIdentifier,
                progress.total > 0
            {
                return true
            }
            usleep(1_000)
        }
        return false
    }

    @Test(arguments: ["f32", "bf16"])
    func `stopped once and killed ten times at random instants, the result is the same byte for byte`(
        _ precision: String
    ) throws {
        try withTemporaryDirectory { directory in
            try makeInput(directory)
            let whole =
                restore(precision, to: "whole") + ["--reference", "hr.png", "--reference-kernel", "k.h5"]
            let undisturbed = try Program.finish(Program.start(whole, in: directory), in: directory)
            try #require(undisturbed.status == 0, "\(undisturbed.errors)")
            #expect(undisturbed.output.contains("PSNR") && undisturbed.output.contains("bicubic"))
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/whole/.job"))
            struct Time: Decodable { var seconds: Double }
            let seconds = try JSONDecoder().decode(Time.self, from: Data(bytes("\(directory)/whole/report.json")))
                .seconds

            let command = restore(precision, to: "out") + ["--checkpoint-interval", "0.1"]
            let stopped = try Program.start(command, in: directory)
            try #require(try waitForProgress(of: stopped, after: 0, in: directory))
            stopped.terminate()
            let first = try Program.finish(stopped, in: directory)
            #expect(first.status == 75)
            #expect(first.errors.contains("run the same command again"))

            // Every kill waits for progress and then for a random part of a few steps: it may hit a step, the copying of
            // the state or any moment of the writing.
            var instants = RandomStream(seed: 2024, name: "kills/\(precision)")
            for kill in 1...Self.kills {
                let before = try checkpointedStep(in: directory)
                let process = try Program.start(command, in: directory)
                let hasAdvanced = try waitForProgress(of: process, after: before, in: directory)
                try #require(hasAdvanced, "done after \(before) steps, before kill \(kill)")
                usleep(UInt32(instants.uniform() * seconds / 30 * 1e6))
                Foundation.kill(process.processIdentifier, SIGKILL)
                let end = try Program.finish(process, in: directory)
                try #require(end.status == -SIGKILL, "done before kill \(kill): \(end.errors)")
                #expect(end.errors.contains("going on"))
            }

            let last = try Program.finish(Program.start(command, in: directory), in: directory)
            #expect(last.status == 0, "\(last.errors)")
            #expect(last.errors.contains("going on"))
            let results = try ["whole", "out"].map {
                try SnapshotFile.read(from: "\(directory)/\($0)/result.h5", format: "dkp-result").datasets
            }
            #expect(results[0].keys.sorted() == results[1].keys.sorted() && results[0].count > 3)
            for (name, dataset) in results[0] { #expect(results[1][name] == dataset, "\(name) differs") }
            for name in ["restored.png", "result.h5", "kernel.png"] {
                #expect(
                    try bytes("\(directory)/out/\(name)") == bytes("\(directory)/whole/\(name)"), "\(name) differs")
            }
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/out/.job"))

            let again = try Program.finish(Program.start(command, in: directory), in: directory)
            #expect(again.status == 0 && again.output.contains("done already"))
        }
    }

    @Test(arguments: [(1, false, 8), (1, true, 16), (3, true, 8), (3, false, 16)])
    func `the result is of the input's kind and depth`(_ channels: Int, _ hasAlpha: Bool, _ depth: Int) throws {
        try withTemporaryDirectory { directory in
            let bitDepth = try #require(Image.BitDepth(rawValue: depth))
            try picture(channels, hasAlpha: hasAlpha, bitDepth, 17, 18).writePNG(to: "\(directory)/x.png")
            let run = try Program.dkp(
                "restore", "x.png", "--output", "out", "--scale", "2", "--steps", "1", "--precision", "f32",
                in: directory)
            #expect(run.status == 0, "\(run.errors)")
            let restored = try Image(file: "\(directory)/out/restored.png")
            #expect(restored.channels == channels)
            #expect((restored.alpha != nil) == hasAlpha)
            #expect(restored.bitDepth == bitDepth)
            #expect(restored.height == 34 && restored.width == 36)
        }
    }

    @Test(arguments: [(2, 1, 1), (2, 7, 18), (3, 12, 13), (4, 9, 10), (8, 5, 6)])
    func `every scale runs on tiny images, and its files can be inspected`(
        _ scale: Int, _ height: Int, _ width: Int
    ) throws {
        try withTemporaryDirectory { directory in
            try picture(3, hasAlpha: false, .eight, height, width).writePNG(to: "\(directory)/x.png")
            let run = try Program.dkp(
                "restore", "x.png", "--output", "out", "--scale", "\(scale)", "--steps", "2", "--precision", "f32",
                in: directory)
            #expect(run.status == 0, "\(run.errors)")
            let restored = try Image(file: "\(directory)/out/restored.png")
            #expect(restored.height == scale * height && restored.width == scale * width)
            let inspection = try Program.dkp("inspect", "out/result.h5", "--json", in: directory)
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(inspection.output.utf8)) as? [String: Any])
            #expect(object["format"] as? String == "dkp-result")
            #expect(object["intact"] as? Bool == true)
        }
    }

    private func picture(
        _ channels: Int, hasAlpha: Bool, _ depth: Image.BitDepth, _ height: Int, _ width: Int
    ) -> Image {
        let count = height * width
        let colour = Tensor<Float>(
            shape: [channels, height, width], (0..<channels * count).map { Float($0 * 7 % 31) / 30 })
        let alpha = Tensor<Float>(shape: [height, width], (0..<count).map { Float($0 % width) / Float(width) })
        return Image(colour: colour, alpha: hasAlpha ? alpha : nil, bitDepth: depth)
    }
}
