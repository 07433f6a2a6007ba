import Foundation
import Imaging
import Restoration
import Tensors
import TestSupport
import Testing

/// A blur that is known, with true surroundings beyond the borders.
@Suite(.serialized, .tags(.slow)) struct `Deconvolution` {
    private static let (size, margin) = (104, 20)

    /// A part of a blurred scene and of the sharp one, `blurred.png` and `sharp.png`, with the kernel `k.h5`.
    private func prepare(in directory: String) throws {
        _ = try Program.dkp("sample-scene", "scene.png", "--size", "\(Self.size)x\(Self.size)", in: directory)
        let degraded = try Program.dkp(
            "degrade", "scene.png", "--output", "whole.png", "--scale", "1", "--kernel", "motion", "--seed", "5",
            "--save-kernel", "k.h5", in: directory)
        try #require(degraded.status == 0, "\(degraded.errors)")
        for (whole, part) in [("whole", "blurred"), ("scene", "sharp")] {
            let image = try Image(file: "\(directory)/\(whole).png")
            try Image(colour: image.colour.inner(Self.margin)).writePNG(to: "\(directory)/\(part).png")
        }
    }

    /// PSNR within `margin` pixels of the border and in the middle.
    private func scores(_ found: Image, _ truth: Image, border: Int) -> (border: Double, middle: Double) {
        func error(_ margin: Int) -> (sum: Double, count: Int) {
            let (first, second) = (found.colour.inner(margin), truth.colour.inner(margin))
            let sum = zip(first.elements, second.elements).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
            return (sum, first.count)
        }
        let (all, middle) = (error(0), error(border))
        func decibels(_ sum: Double, _ count: Int) -> Double { -10 * log10(sum / Double(count)) }
        return (decibels(all.sum - middle.sum, all.count - middle.count), decibels(middle.sum, middle.count))
    }

    @Test func `of a photograph restores middle and border alike`() throws {
        try withTemporaryDirectory { directory in
            try prepare(in: directory)
            let run = try Program.dkp(
                "deconvolve", "blurred.png", "--kernel-file", "k.h5", "-o", "out", "--threads", "1", "--noise", "auto",
                "--reference", "sharp.png", in: directory)
            #expect(run.status == 0, "\(run.errors)")
            let truth = try Image(file: "\(directory)/sharp.png")
            let before = scores(try Image(file: "\(directory)/blurred.png"), truth, border: 12)
            let after = scores(try Image(file: "\(directory)/out/restored.png"), truth, border: 12)
            #expect(after.middle > before.middle + 6, "\(before) \(after)")
            #expect(after.border > before.border + 4, "\(before) \(after)")
            // Taken as circular, the blur's other end rings through the whole picture.
            let circular = try Program.dkp(
                "deconvolve", "blurred.png", "--kernel-file", "k.h5", "-o", "ring", "--threads", "1", "--noise", "auto",
                "--boundary", "circular", in: directory)
            #expect(circular.status == 0, "\(circular.errors)")
            let ringing = scores(try Image(file: "\(directory)/ring/restored.png"), truth, border: 12)
            #expect(ringing.border < after.border - 3, "\(ringing) \(after)")
        }
    }

    @Test func `of a noisy photograph is better than the photograph, without a word about noise`() throws {
        try withTemporaryDirectory { directory in
            try prepare(in: directory)
            var stream = RandomStream(seed: 3, name: "noise")
            let noisy = try Image(file: "\(directory)/blurred.png").colour.map {
                $0 + Float(3.0 / 255 * stream.normal())
            }
            try Image(colour: noisy).writePNG(to: "\(directory)/noisy.png")
            let run = try Program.dkp(
                "deconvolve", "noisy.png", "--kernel-file", "k.h5", "-o", "out", "--threads", "1", in: directory)
            #expect(run.status == 0, "\(run.errors)")
            let truth = try Image(file: "\(directory)/sharp.png")
            let before = scores(try Image(file: "\(directory)/noisy.png"), truth, border: 12)
            let after = scores(try Image(file: "\(directory)/out/restored.png"), truth, border: 12)
            #expect(after.middle > before.middle + 2, "\(before) \(after)")
            #expect(after.border > before.border + 1, "\(before) \(after)")
        }
    }

    @Test func `takes the kernel as a picture too, and tells of one that cannot be used`() throws {
        try withTemporaryDirectory { directory in
            try prepare(in: directory)
            let taps = try KernelFile.read("\(directory)/k.h5")
            let most = taps.elements.max() ?? 1
            let picture = Tensor<Float>(
                shape: [1, taps.shape[0], taps.shape[1]], taps.elements.map { Float($0 / most) })
            try Image(colour: picture, bitDepth: .sixteen).writePNG(to: "\(directory)/k.png")
            #expect(
                try kernelPSNR(KernelFile.read("\(directory)/k.png").map { Float($0) }, taps.map { Float($0) }) > 80)

            try Image(colour: Tensor(shape: [1, 4, 4], repeating: 0.5)).writePNG(to: "\(directory)/even.png")
            for (kernel, status, sentence) in [
                ("even.png", Int32(65), "square picture with an odd number of rows"), ("none.h5", 66, "none.h5"),
                ("scene.png", 65, "square picture with an odd number of rows"),
            ] {
                let run = try Program.dkp(
                    "deconvolve", "blurred.png", "--kernel-file", kernel, "-o", "bad", in: directory)
                #expect(run.status == status, "\(kernel): \(run.errors)")
                #expect(run.errors.contains(sentence), "\(kernel): \(run.errors)")
            }
            let blind = try Program.dkp("restore", "blurred.png", "-o", "bad", "--scale", "1", in: directory)
            #expect(blind.status == 78 && blind.errors.contains("dkp deconvolve"), "\(blind.errors)")
        }
    }

    @Test(arguments: ["f32", "bf16"])
    func `killed at random instants, the result is the same byte for byte`(_ precision: String) throws {
        try withTemporaryDirectory { directory in
            try prepare(in: directory)
            func arguments(_ output: String) -> [String] {
                [
                    "deconvolve", "blurred.png", "--kernel-file", "k.h5", "-o", output, "--threads", "1", "--precision",
                    precision, "--checkpoint-interval", "0.1",
                ]
            }
            #expect(try Program.finish(Program.start(arguments("whole"), in: directory), in: directory).status == 0)
            var delay: UInt32 = 700_000
            for _ in 0..<3 {
                let process = try Program.start(arguments("killed"), in: directory)
                usleep(delay)
                kill(process.processIdentifier, SIGKILL)
                _ = try Program.finish(process, in: directory)
                delay += 450_000
            }
            #expect(try Program.finish(Program.start(arguments("killed"), in: directory), in: directory).status == 0)
            for name in ["restored.png", "result.h5"] {
                #expect(try bytes("\(directory)/whole/\(name)") == bytes("\(directory)/killed/\(name)"), "\(name)")
            }
        }
    }
}
