import Checkpointing
import Foundation
import Imaging
import Restoration
import Tensors
import TestSupport
import Testing

/// The commands with real networks: four small U-Nets of random weights, with what the original implementations answer.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct DiffusionTests {
    static let models = [
        "adm_updown_scaleshift", "adm_class_conditional", "adm_plain_convdown_eps3", "ddpm_diffusers",
    ]

    private func weights(_ model: String) -> String { "\(GoldenNumbers.unets.path)#\(model)" }

    @Test(arguments: models, ["f32", "bf16"])
    func `a file's example comes out as the original's answer`(_ model: String, _ precision: String) throws {
        try withTemporaryDirectory { directory in
            let run = try Program.dkp(
                "inspect", weights(model), "--run-example", "--precision", precision, in: directory)
            #expect(run.status == 0, "\(run.output)\(run.errors)")
            #expect(run.output.contains("relative error"))
        }
    }

    @Test func `an inspection tells of every model in a file`() throws {
        try withTemporaryDirectory { directory in
            let run = try Program.dkp("inspect", GoldenNumbers.unets.path, in: directory)
            #expect(run.status == 0)
            for model in Self.models { #expect(run.output.contains("model #\(model): ")) }
            #expect(run.output.contains("guided-diffusion, ") && run.output.contains("diffusers-unet2d, "))
        }
    }

    @Test(arguments: models) func `a sample is drawn, the same for the same seed`(_ model: String) throws {
        try withTemporaryDirectory { directory in
            for (name, seed) in [("a", "1"), ("b", "1"), ("c", "2")] {
                let run = try Program.dkp(
                    "sample", "--weights", weights(model), "--steps", "4", "--seed", seed, "--output", "\(name).png",
                    in: directory)
                try #require(run.status == 0, "\(run.errors)")
            }
            let image = try Image(file: "\(directory)/a.png")
            #expect(image.width == 32 && image.height == 32 && image.channels == 3)
            #expect(try bytes("\(directory)/a.png") == bytes("\(directory)/b.png"))
            #expect(try bytes("\(directory)/a.png") != bytes("\(directory)/c.png"))
        }
    }

    // MARK: Restoration

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var size: String
        var model: String
        var options: [String] = []
        var testDescription: String { name }

        static let all = [
            Case(name: "one tile, bf16", size: "32x32", model: "ddpm_diffusers", options: ["--precision", "bf16"]),
            Case(name: "several tiles", size: "76x50", model: "adm_updown_scaleshift"),
            Case(
                name: "smaller than the model, with a class", size: "24x20", model: "adm_class_conditional",
                options: ["--class-label", "3"]),
            Case(
                name: "DDIM with noise, gradient", size: "40x32", model: "adm_plain_convdown_eps3",
                options: ["--diffusion-sampler", "ddim", "--eta", "0.5", "--data-consistency", "gradient"]),
        ]
    }

    /// The step of the newest checkpoint in `out`, 0 before the first.
    private func checkpointedStep(in directory: String) throws -> Int {
        let job = "\(directory)/out/.job"
        guard FileManager.default.fileExists(atPath: job) else { return 0 }
        return try CheckpointStore(directory: job).generations().first?.step ?? 0
    }

    @Test(arguments: Case.all)
    func `killed five times at random diffusion steps, the result is the same byte for byte`(_ which: Case) throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "hr.png", "--size", which.size, in: directory)
            let low = try Program.dkp(
                "degrade", "hr.png", "--output", "lr.png", "--scale", "2", "--kernel", "gaussian", in: directory)
            try #require(low.status == 0, "\(low.errors)")
            func restore(to output: String) -> [String] {
                [
                    "restore", "lr.png", "--output", output, "--scale", "2", "--method", "diff-dkp", "--weights",
                    weights(which.model), "--diffusion-steps", "400", "--threads", "2",
                ] + which.options
            }
            let whole = try Program.finish(Program.start(restore(to: "whole"), in: directory), in: directory)
            try #require(whole.status == 0, "\(whole.errors)")

            let command = restore(to: "out") + ["--checkpoint-interval", "0.1"]
            var instants = RandomStream(seed: 7, name: "kills/\(which.name)")
            for kill in 1...5 {
                let before = try checkpointedStep(in: directory)
                let process = try Program.start(command, in: directory)
                while process.isRunning, try checkpointedStep(in: directory) <= before { usleep(1_000) }
                usleep(UInt32(instants.uniform() * 1e5))
                Foundation.kill(process.processIdentifier, SIGKILL)
                let end = try Program.finish(process, in: directory)
                // A fast machine may be done: then there is nothing left to kill.
                guard end.status == -SIGKILL else {
                    try #require(end.status == 0 && kill > 1, "done before kill \(kill): \(end.errors)")
                    break
                }
            }
            if FileManager.default.fileExists(atPath: "\(directory)/out/.job") {
                let last = try Program.finish(Program.start(command, in: directory), in: directory)
                try #require(last.status == 0, "\(last.errors)")
                #expect(last.errors.contains("going on"))
            }
            for name in ["restored.png", "result.h5", "kernel.png"] {
                #expect(
                    try bytes("\(directory)/out/\(name)") == bytes("\(directory)/whole/\(name)"), "\(name) differs")
            }
        }
    }

    @Test func `a class-conditional model without a class exits 78, other damage 65`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "lr.png", "--size", "16x16", in: directory)
            let unclassed = try Program.dkp(
                "restore", "lr.png", "--output", "out", "--scale", "2", "--method", "diff-dkp", "--weights",
                weights("adm_class_conditional"), in: directory)
            #expect(unclassed.status == 78)
            #expect(unclassed.errors.contains("class_label"))
            try Data("no weights".utf8).write(to: URL(fileURLWithPath: "\(directory)/bad.h5"))
            let damaged = try Program.dkp(
                "restore", "lr.png", "--output", "out2", "--method", "diff-dkp", "--weights", "bad.h5", in: directory)
            #expect(damaged.status == 65)
            #expect(damaged.errors.contains("bad.h5"))
        }
    }
}
