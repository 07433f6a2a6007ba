import Foundation
import Imaging
import Jobs
import Restoration
import Tensors
import TestSupport
import Testing

/// The memory that was estimated against that which a run held.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct MemoryEstimateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var channels: Int
        var side: Int
        var scale: Int
        var model: String?

        var testDescription: String {
            "\(side) x \(side) x \(channels) at scale \(scale)\(model.map { ", " + $0 } ?? "")"
        }
    }

    @Test(arguments: [
        Case(channels: 3, side: 24, scale: 2), Case(channels: 3, side: 64, scale: 4),
        Case(channels: 1, side: 96, scale: 2),
        Case(channels: 3, side: 16, scale: 2, model: "ddpm_diffusers"),
        Case(channels: 3, side: 96, scale: 4, model: "ddpm_diffusers"),
    ])
    func `an estimate is no less than what a run takes, and not much more`(_ which: Case) throws {
        try withTemporaryDirectory { directory in
            let shape = [which.channels, which.side, which.side]
            let image = Tensor<Float>(shape: shape, (0..<shape.reduce(1, *)).map { Float($0 % 13) / 13 })
            try Image(colour: image).writePNG(to: "\(directory)/x.png")
            var settings = RestorationSettings()
            settings.method = .dipDKP
            settings.scale = which.scale
            settings.precision = .f32
            var arguments = [
                "restore", "x.png", "--output", "out", "--scale", "\(which.scale)", "--precision", "f32", "--threads",
                "2",
                "--checkpoint-interval", "0.1",
            ]
            if let model = which.model {
                settings.method = .diffDKP
                settings.weights = "\(GoldenNumbers.unets.path)#\(model)"
                arguments += ["--method", "diff-dkp", "--weights", settings.weights ?? "", "--diffusion-steps", "2"]
            } else {
                arguments += ["--steps", "3"]
            }
            let run = try Program.finish(Program.start(arguments, in: directory), in: directory)
            try #require(run.status == 0, "\(run.errors)")
            let peak = try Report.read("\(directory)/out/report.json").peakMemoryBytes
            let estimate = try RestorationFactory.memoryBytes(
                settings, channels: which.channels, height: which.side, width: which.side)
            let ratio = Double(estimate) / Double(peak)
            // Of a tiny model the program itself is most, which is counted for the largest.
            #expect(
                (1...(which.model == nil ? 1.5 : 2.5)).contains(ratio),
                "estimated \(estimate >> 20) MiB, took \(peak >> 20) MiB")
        }
    }
}
