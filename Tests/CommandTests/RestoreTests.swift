import Foundation
import Imaging
import Restoration
import Tensors
import TestSupport
import Testing

@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct RestoreTests {
    private let restore = [
        "restore", "lr.png", "--output", "out", "--scale", "2", "--kernel", "auto", "--steps", "8", "--threads", "2",
        "--checkpoint-interval", "0.1",
    ]

    private func makeInput(_ directory: String) throws {
        let scene = try Program.dkp("sample-scene", "hr.png", "--size", "36x40", in: directory)
        #expect(scene.status == 0)
        let low = try Program.dkp(
            "degrade", "hr.png", "--output", "lr.png", "--scale", "2", "--kernel", "gaussian", "--save-kernel", "k.h5",
            in: directory)
        #expect(low.status == 0)
    }

    /// Waits until the worker of `out` has done at least one step.
    private func waitForProgress(_ process: Process, in directory: String) throws -> Bool {
        while process.isRunning {
            if let job = try? JobDirectory.open("\(directory)/out/.job"), let progress = try? JobProgress.read(of: job),
                progress.step > 0, progress.step < progress.total
            {
                return true
            }
            usleep(2_000)
        }
        return false
    }

    @Test(arguments: ["f32", "bf16"])
    func `stopped and killed at random instants, the result is the same byte for byte`(_ precision: String) throws {
        try withTemporaryDirectory { directory in
            try makeInput(directory)
            let command = restore + ["--precision", precision]
            var whole = command
            whole[3] = "whole"
            whole += ["--reference", "hr.png", "--reference-kernel", "k.h5"]
            let begin = ContinuousClock.now
            let undisturbed = try Program.finish(Program.start(whole, in: directory), in: directory)
            try #require(undisturbed.status == 0, "\(undisturbed.errors)")
            let microseconds = Double((ContinuousClock.now - begin) / .microseconds(1))
            #expect(undisturbed.output.contains("PSNR") && undisturbed.output.contains("bicubic"))
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/whole/.job"))

            let stopped = try Program.start(command, in: directory)
            if try waitForProgress(stopped, in: directory) {
                stopped.terminate()
                let first = try Program.finish(stopped, in: directory)
                // It may have been at its last step.
                if first.status != 0 {
                    #expect(first.status == 75)
                    #expect(first.errors.contains("run the same command again"))
                }
            } else {
                stopped.waitUntilExit()
            }

            var delays: [UInt32] = []
            while delays.count < 4, FileManager.default.fileExists(atPath: "\(directory)/out/.job") {
                let killed = try Program.start(command, in: directory)
                delays.append(UInt32(Double.random(in: 0.02...0.7) * microseconds))
                usleep(delays[delays.count - 1])
                kill(killed.processIdentifier, SIGKILL)
                killed.waitUntilExit()
            }

            if FileManager.default.fileExists(atPath: "\(directory)/out/.job") {
                let last = try Program.finish(Program.start(command, in: directory), in: directory)
                #expect(last.status == 0, "\(last.errors)")
                #expect(last.errors.contains("going on"))
            }
            for name in ["restored.png", "result.h5", "kernel.png"] {
                #expect(
                    try bytes("\(directory)/out/\(name)") == bytes("\(directory)/whole/\(name)"),
                    "\(name) differs, killed after \(delays) microseconds")
            }
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/out/.job"))

            let again = try Program.finish(Program.start(command, in: directory), in: directory)
            #expect(again.status == 73)
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
            let restored = try Image(pngFile: "\(directory)/out/restored.png")
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
            let restored = try Image(pngFile: "\(directory)/out/restored.png")
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
