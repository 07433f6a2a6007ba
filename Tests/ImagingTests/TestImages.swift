import CTestImages
import Foundation
import Imaging
import Tensors
import TestSupport
import Testing

/// Samples of a picture, interleaved, and the files of it that the image libraries write.
struct TestImage {
    var width = 21
    var height = 13
    var channels = 3
    var bits = 8

    /// Smooth, so that JPEG keeps it closely, and different in every pixel and channel.
    var samples: [UInt16] {
        let highest = Double((1 << min(bits, 16)) - 1)
        return (0..<height * width * channels).map { index in
            let (channel, pixel) = (index % channels, index / channels)
            let (x, y) = (Double(pixel % width) / Double(width), Double(pixel / width) / Double(height))
            return UInt16((0.1 + 0.5 * x + 0.2 * y + 0.05 * Double(channel)) * highest)
        }
    }

    /// The samples as they are read: planes of numbers in [0, 1].
    var planes: [Float] {
        let samples = samples
        let highest = Float((1 << bits) - 1)
        return (0..<channels).flatMap { channel in
            stride(from: channel, to: samples.count, by: channels).map { Float(samples[$0]) / highest }
        }
    }

    /// A JPEG file.
    func jpeg(
        quality: Int32 = 100, isProgressive: Bool = false, dotsPerInch: UInt16 = 0, exif: [UInt8]? = nil,
        profile: [UInt8]? = nil
    ) throws -> [UInt8] {
        try written { path in
            withBytes(exif) { exif, exifCount in
                withBytes(profile) { profile, profileCount in
                    var description = dkp_test_jpeg(
                        width: UInt32(width), height: UInt32(height), channels: Int32(channels), quality: quality,
                        is_progressive: isProgressive ? 1 : 0, dots_per_inch: dotsPerInch, exif: exif,
                        exif_count: exifCount, profile: profile, profile_count: profileCount)
                    return dkp_test_write_jpeg(path, &description, samples.map(UInt8.init))
                }
            }
        }
    }

    /// How a TIFF file holds its samples.
    struct Layout {
        var mode = "wl"
        var compression: UInt16 = 1
        var predictor: UInt16 = 0
        var isSeparate = false
        var tile: UInt32 = 0
        var rowsPerStrip: UInt32 = 5
        var format: UInt16 = 1
        var photometric: UInt16?
        var extraSample: UInt16 = 0
        var orientation: UInt16 = 0
        var pages: UInt16 = 1
        var dotsPerInch: Float = 0
        var profile: [UInt8]?
        /// What the first page is marked as.
        var subfileType: UInt32 = 0
        /// How many of the other pages are its sub-directories.
        var subDirectories: UInt16 = 0
        var isDNG = false
        var maker: String?
    }

    /// A TIFF file.
    func tiff(_ layout: Layout = Layout()) throws -> [UInt8] {
        let photometric = layout.photometric ?? (channels < 3 ? 1 : 2)
        return try written { path in
            withBytes(layout.profile) { profile, profileCount in
                var description = dkp_test_tiff(
                    width: UInt32(width), height: UInt32(height), samples: UInt16(channels), bits: UInt16(bits),
                    sample_format: layout.format, photometric: photometric, planar: layout.isSeparate ? 2 : 1,
                    compression: layout.compression, predictor: layout.predictor, orientation: layout.orientation,
                    extra_sample: layout.extraSample, tile: layout.tile, rows_per_strip: layout.rowsPerStrip,
                    pages: layout.pages, subfile_type: layout.subfileType, sub_directories: layout.subDirectories,
                    is_dng: layout.isDNG ? 1 : 0, maker: nil, dots_per_inch: layout.dotsPerInch, profile: profile,
                    profile_count: profileCount)
                return (layout.maker ?? "").withCString { maker in
                    if layout.maker != nil { description.maker = maker }
                    switch bits {
                    case 16: return dkp_test_write_tiff(path, layout.mode, &description, samples)
                    case 32: return dkp_test_write_tiff(path, layout.mode, &description, samples.map(Float.init))
                    default: return dkp_test_write_tiff(path, layout.mode, &description, samples.map(UInt8.init))
                    }
                }
            }
        }
    }

    /// A file's bytes, made by `write`.
    private func written(_ write: (String) -> Int32) throws -> [UInt8] {
        try withTemporaryDirectory { directory in
            let path = directory + "/image"
            try #require(write(path) == 0)
            return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    private func withBytes<Result>(_ bytes: [UInt8]?, _ body: (UnsafePointer<UInt8>?, Int) -> Result) -> Result {
        guard let bytes else { return body(nil, 0) }
        return bytes.withUnsafeBufferPointer { body($0.baseAddress, $0.count) }
    }
}

/// A colour profile as far as its header goes.
func colourProfile(_ kind: String, count: Int = 3000) -> [UInt8] {
    var bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
    bytes.replaceSubrange(0..<4, with: RawPNG.bigEndian(count))
    bytes.replaceSubrange(16..<20, with: Array(kind.utf8))
    bytes.replaceSubrange(36..<40, with: Array("acsp".utf8))
    return bytes
}

/// What a PNG chunk with a colour profile holds, decompressed.
func decompressedProfile(_ chunk: [UInt8]?) throws -> [UInt8] {
    let chunk = try #require(chunk)
    let start = try #require(chunk.firstIndex(of: 0)) + 2
    var target = [UInt8](repeating: 0, count: 1 << 20)
    let count = dkp_test_inflate(Array(chunk[start...]), chunk.count - start, &target, target.count)
    try #require(count >= 0)
    return Array(target[..<count])
}

/// Checks that whatever is done to a file's bytes gives an image or a typed error that is the file's fault.
func expectImageOrTypedError(_ bytes: [UInt8]) {
    do throws(ImageError) {
        let image = try Image(data: bytes, limits: ImageLimits(maximumPixels: 1 << 20))
        #expect(image.width * image.height <= 1 << 20)
    } catch {
        #expect(error.code != .cannotRead && error.code != .notFound, "\(error)")
        #expect(error.reason.contains(";"), "\(error)")
    }
}
