import Foundation
import TestSupport
import Testing

/// A Python with PyTorch and what else `Tools/train_prior.py` needs: that of `DKP_PYTHON`, or the one that `make bench`
/// installs.
private enum PyTorch {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    static let python = ProcessInfo.processInfo.environment["DKP_PYTHON"] ?? "\(root)/.venv/bin/python"

    static let isThere: Bool = {
        guard FileManager.default.isExecutableFile(atPath: python) else { return false }
        let search = """
            import importlib.util as u, sys
            sys.exit(not all(u.find_spec(m) for m in ('torch', 'h5py', 'numpy', 'PIL')))
            """
        let status = try? withTemporaryDirectory { directory in
            try Program.finish(Program.start(["-c", search], at: python, in: directory), in: directory).status
        }
        return status == 0
    }()
}

/// `Tools/train_prior.py` on a processor, and `dkp` as the reader of what it writes.
@Suite(
    .serialized, .tags(.slow), .timeLimit(.minutes(10)),
    .enabled(
        if: PyTorch.isThere,
        "needs a Python with torch, h5py, numpy and PIL: run make bench once, or name one in DKP_PYTHON"))
struct TrainingTests {
    /// A network that trains in a second.
    private static let smallConfiguration = """
        {"image_size": 32, "in_channels": 3, "model_channels": 32, "out_channels": 3, "num_res_blocks": 1,
        "attention_resolutions": [], "channel_mult": [1, 2], "num_head_channels": 32,
        "use_scale_shift_norm": true, "resblock_updown": true}
        """

    private func start(_ arguments: [String], in directory: String) throws -> Process {
        try Program.start(["\(PyTorch.root)/Tools/train_prior.py"] + arguments, at: PyTorch.python, in: directory)
    }

    private func train(_ arguments: [String], in directory: String) throws -> Finished {
        try Program.finish(start(arguments, in: directory), in: directory)
    }

    /// Runs `body` in a folder with photographs and the configuration of a small network.
    private func withPhotographs(_ body: (String) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let photographs = "\(directory)/photographs"
            try FileManager.default.createDirectory(atPath: photographs, withIntermediateDirectories: false)
            let scene = try Program.dkp("sample-scene", "photographs/a.png", "--size", "80x64", in: directory)
            try #require(scene.status == 0, "\(scene.errors)")
            try Data(Self.smallConfiguration.utf8).write(to: URL(fileURLWithPath: "\(directory)/small.json"))
            try body(directory)
        }
    }

    private static let options = [
        "photographs", "--config", "small.json", "--batch", "2", "--crop", "32", "--steps", "20", "--warm-up", "5",
        "--checkpoint-every", "2", "--example", "32",
    ]

    @Test func `killed after a checkpoint, twenty steps end with the same bytes, which dkp reads`() throws {
        try withPhotographs { directory in
            let whole = try train(Self.options + ["--output", "whole.h5"], in: directory)
            try #require(whole.status == 0, "\(whole.errors)")

            let process = try start(Self.options + ["--output", "killed.h5"], in: directory)
            while process.isRunning, !FileManager.default.fileExists(atPath: "\(directory)/killed.h5.checkpoint") {
                usleep(1_000)
            }
            Foundation.kill(process.processIdentifier, SIGKILL)
            try #require(try Program.finish(process, in: directory).status == -SIGKILL)
            let resumed = try train(Self.options + ["--output", "killed.h5"], in: directory)
            try #require(resumed.status == 0, "\(resumed.errors)")
            #expect(resumed.output.contains("goes on from step"))
            #expect(try bytes("\(directory)/killed.h5") == bytes("\(directory)/whole.h5"))
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/killed.h5.checkpoint"))

            let inspection = try Program.dkp(
                "inspect", "killed.h5", "--run-example", "--precision", "f32", in: directory)
            #expect(inspection.status == 0, "\(inspection.output)\(inspection.errors)")
            #expect(inspection.output.contains("relative error"))
        }
    }

    @Test func `training goes on from the shipped weights`() throws {
        try withPhotographs { directory in
            let run = try train(
                [
                    "photographs", "--from-weights", "\(PyTorch.root)/Weights/natural-images.h5", "--batch", "1",
                    "--crop", "32", "--steps", "2",
                    "--learning-rate", "1e-5", "--output", "more.h5", "--example", "16",
                ], in: directory)
            try #require(run.status == 0, "\(run.errors)")
            // A fresh network predicts nothing, a loss of 1.
            let loss = try #require(run.output.firstMatch(of: #/loss (0\.\d+)/#).flatMap { Double($0.1) })
            #expect(loss < 0.5)
            let inspection = try Program.dkp(
                "inspect", "more.h5", "--run-example", "--precision", "f32", in: directory)
            #expect(inspection.status == 0, "\(inspection.output)\(inspection.errors)")
        }
    }

    @Test(arguments: [
        (["nowhere", "--output", "out.h5", "--steps", "1"], "nowhere: no such folder"),
        (["photographs", "--output", "none/out.h5", "--steps", "1"], "none: no such folder"),
        (["photographs", "--output", "out.h5", "--steps", "1", "--crop", "36"], "--crop 36: must divide by 8"),
        (["photographs", "--output", "out.h5", "--steps", "1", "--crop", "800"], "800 x 800 pixels"),
        (["photographs", "--output", "out.h5", "--steps", "1", "--from-weights", "small.json"], "small.json"),
        (["photographs", "--output", "out.h5", "--steps", "1", "--config", "attention.json"], "attention_resolutions"),
        (["photographs", "--output", "small.json", "--steps", "1"], "small.json: is there already"),
        (
            ["photographs", "--output", "out.h5", "--steps", "1", "--crop", "32", "--checkpoint", "small.json"],
            "small.json"
        ),
    ])
    func `what cannot be trained is refused with the reason`(_ options: [String], _ words: String) throws {
        try withPhotographs { directory in
            let attention = Self.smallConfiguration.replacing("[]", with: "[2]")
            try Data(attention.utf8).write(to: URL(fileURLWithPath: "\(directory)/attention.json"))
            let run = try train(options, in: directory)
            #expect(run.status == 1)
            #expect(run.errors.hasPrefix("train_prior: ") && run.errors.contains(words), "\(run.errors)")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/out.h5"))
        }
    }
}
