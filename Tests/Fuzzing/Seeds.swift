import CTestImages
import Foundation
import Imaging
import Tensors

/// Small valid files of every kind that is read, for libFuzzer to begin with.
struct Seeds {
    let folder: URL
    private let samples = (0..<16 * 16 * 4).map { UInt16(truncatingIfNeeded: $0 * 2551) }

    func write() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try writePNG()
        try writeJPEG()
        try writeTIFF()
    }

    private func writePNG() throws {
        for (channels, depth, hasAlpha) in [(1, Image.BitDepth.eight, false), (3, .eight, true), (3, .sixteen, false)] {
            let colour = Tensor(
                shape: [channels, 16, 16], samples.prefix(channels * 256).map { Float($0) / 65_535 })
            let alpha = hasAlpha ? Tensor<Float>(shape: [16, 16], repeating: 0.5) : nil
            let image = Image(colour: colour, alpha: alpha, bitDepth: depth)
            try Data(image.pngData()).write(to: folder.appending(path: "\(channels)-\(depth).png"))
        }
    }

    private func writeJPEG() throws {
        for (channels, isProgressive) in [(1, 0), (3, 0), (3, 1)] {
            var file = dkp_test_jpeg(
                width: 16, height: 16, channels: Int32(channels), quality: 80, is_progressive: Int32(isProgressive),
                dots_per_inch: 72, exif: nil, exif_count: 0, profile: nil, profile_count: 0)
            let path = folder.appending(path: "\(channels)-\(isProgressive).jpg").path
            try check(dkp_test_write_jpeg(path, &file, samples.map { UInt8($0 >> 8) }), path)
        }
    }

    private func writeTIFF() throws {
        // Compressions: none, LZW, Deflate, PackBits.
        for compression: UInt16 in [1, 5, 8, 32_773] {
            for (channels, bits, tile) in [(1, 16, 0), (3, 8, 16), (4, 16, 0)] {
                var file = dkp_test_tiff(
                    width: 16, height: 16, samples: UInt16(channels), bits: UInt16(bits), sample_format: 1,
                    photometric: channels == 1 ? 1 : 2, planar: 1, compression: compression,
                    predictor: compression == 5 || compression == 8 ? 2 : 0, orientation: 6,
                    extra_sample: channels == 4 ? 2 : 0, tile: UInt32(tile), rows_per_strip: 5, pages: 1,
                    subfile_type: 0, sub_directories: 0, is_dng: 0, maker: nil, dots_per_inch: 300, profile: nil,
                    profile_count: 0)
                let path = folder.appending(path: "\(compression)-\(channels).tif").path
                let written =
                    bits == 16
                    ? dkp_test_write_tiff(path, "wl", &file, samples)
                    : dkp_test_write_tiff(path, "wb", &file, samples.map { UInt8($0 >> 8) })
                try check(written, path)
            }
        }
    }

    private func check(_ status: Int32, _ path: String) throws {
        guard status == 0 else { throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path]) }
    }
}

/// libFuzzer's first call: with DKP_FUZZ_SEEDS, the seeds go into that folder.
@_cdecl("LLVMFuzzerInitialize")
public func writeSeeds(_ count: UnsafeMutablePointer<CInt>?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    guard let folder = ProcessInfo.processInfo.environment["DKP_FUZZ_SEEDS"] else { return 0 }
    do {
        try Seeds(folder: URL(filePath: folder)).write()
        return 0
    } catch {
        print("fuzzing: \(error)")
        exit(1)
    }
}
