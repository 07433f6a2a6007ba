import Foundation
import Imaging
import Restoration
import Tensors
import TestSupport
import Testing

@Suite struct ToolTests {
    @Test(arguments: ["gaussian", "motion"])
    func `degrading by a family and by the kernel that it saved gives the same image`(_ family: String) throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "hr.png", "--size", "67x49", in: directory)
            let first = try Program.dkp(
                "degrade", "hr.png", "--output", "a.png", "--scale", "3", "--kernel", family, "--seed", "4",
                "--save-kernel", "k.h5", in: directory)
            #expect(first.status == 0)
            let second = try Program.dkp(
                "degrade", "hr.png", "--output", "b.png", "--scale", "3", "--kernel-file", "k.h5", in: directory)
            #expect(second.status == 0)
            #expect(try bytes("\(directory)/a.png") == bytes("\(directory)/b.png"))
            let low = try Image(file: "\(directory)/a.png")
            #expect(low.width == 22 && low.height == 16)
            #expect(try KernelFile.read("\(directory)/k.h5").shape == [15, 15])
        }
    }

    @Test func `noise is seeded and has the wanted strength`() throws {
        try withTemporaryDirectory { directory in
            let gray = Image(colour: .init(shape: [1, 128, 128], repeating: 0.5), bitDepth: .sixteen)
            try gray.writePNG(to: "\(directory)/hr.png")
            for name in ["a", "b"] {
                let run = try Program.dkp(
                    "degrade", "hr.png", "--output", "\(name).png", "--scale", "2", "--kernel", "gaussian", "--noise",
                    "0.05", in: directory)
                #expect(run.status == 0)
            }
            #expect(try bytes("\(directory)/a.png") == bytes("\(directory)/b.png"))
            let samples = try Image(file: "\(directory)/a.png").colour.elements.map { Double($0) - 0.5 }
            let deviation = (samples.reduce(0) { $0 + $1 * $1 } / Double(samples.count)).squareRoot()
            #expect(abs(deviation - 0.05) < 0.003)
        }
    }

    @Test func `evaluation of equal images is perfect, as JSON too`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "x.png", "--size", "64x64", in: directory)
            _ = try Program.dkp(
                "degrade", "x.png", "--output", "y.png", "--scale", "4", "--kernel", "gaussian", "--save-kernel",
                "k.h5",
                in: directory)
            let words = try Program.dkp("evaluate", "x.png", "x.png", "--scale", "4", in: directory)
            #expect(words.output == "PSNR inf dB, SSIM 1.0000\n")
            let json = try Program.dkp(
                "evaluate", "x.png", "x.png", "--scale", "4", "--kernel", "k.h5", "--reference-kernel", "k.h5",
                "--json", in: directory)
            let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
            #expect(object["psnr"] as? String == "inf")
            #expect(object["ssim"] as? Double == 1)
            #expect(object["kernel_psnr"] as? String == "inf")
            let run1 = try Program.dkp("evaluate", "x.png", "y.png", "--scale", "4", in: directory)
            #expect(run1.status == 65)
        }
    }

    @Test func `inspection tells what a file holds and finds damage`() throws {
        try withTemporaryDirectory { directory in
            _ = try Program.dkp("sample-scene", "x.png", "--size", "32x32", in: directory)
            _ = try Program.dkp(
                "degrade", "x.png", "--output", "y.png", "--scale", "2", "--kernel", "motion", "--save-kernel", "k.h5",
                in: directory)
            let words = try Program.dkp("inspect", "k.h5", in: directory)
            #expect(words.status == 0)
            #expect(words.output.contains("blur kernel") && words.output.contains("11 x 11"))
            let json = try Program.dkp("inspect", "k.h5", "--json", in: directory)
            let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
            #expect(object["intact"] as? Bool == true)
            #expect(object["format"] as? String == "dkp-kernel")

            var content = try bytes("\(directory)/k.h5")
            content[content.count - 1] ^= 1
            try Data(content).write(to: URL(fileURLWithPath: "\(directory)/bad.h5"))
            let damaged = try Program.dkp("inspect", "bad.h5", in: directory)
            #expect(damaged.status == 65)
            #expect(damaged.output.contains("DAMAGED"))
            let run2 = try Program.dkp("inspect", "x.png", in: directory)
            #expect(run2.status == 65)
            let run3 = try Program.dkp("inspect", "none.h5", in: directory)
            #expect(run3.status == 66)
        }
    }
}
