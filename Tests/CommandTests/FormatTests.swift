import CTestImages
import Foundation
import Imaging
import Restoration
import TestSupport
import Testing

@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(10))) struct FormatTests {
    @Test func `a JPEG and a TIFF image are restored, and kept as they were`() throws {
        try withTemporaryDirectory { directory in
            let samples = (0..<16 * 12 * 3).map { UInt16(257 * ($0 % 251)) }
            var jpeg = dkp_test_jpeg()
            (jpeg.width, jpeg.height, jpeg.channels, jpeg.quality) = (16, 12, 3, 90)
            try #require(dkp_test_write_jpeg("\(directory)/photo", &jpeg, samples.map { UInt8($0 >> 8) }) == 0)
            var tiff = dkp_test_tiff()
            (tiff.width, tiff.height, tiff.samples, tiff.bits) = (16, 12, 3, 16)
            (tiff.sample_format, tiff.photometric, tiff.planar, tiff.compression) = (1, 2, 1, 5)
            (tiff.rows_per_strip, tiff.pages) = (12, 2)
            try #require(dkp_test_write_tiff("\(directory)/scan", "wl", &tiff, samples) == 0)

            for (file, input, depth) in [("photo", "input.jpg", Image.BitDepth.eight), ("scan", "input.tif", .sixteen)]
            {
                let run = try Program.dkp(
                    "restore", file, "--output", "out-\(file)", "--scale", "2", "--steps", "2", "--threads", "1",
                    in: directory)
                #expect(run.status == 0, "\(run.errors)")
                let restored = try Image(file: "\(directory)/out-\(file)/restored.png")
                #expect(restored.width == 32 && restored.height == 24 && restored.bitDepth == depth)
                #expect(try bytes("\(directory)/out-\(file)/\(input)") == bytes("\(directory)/\(file)"))
                let report = try Report.read("\(directory)/out-\(file)/report.json")
                #expect(report.notes.contains { $0.contains("several pages") } == (file == "scan"))
            }
        }
    }
}
