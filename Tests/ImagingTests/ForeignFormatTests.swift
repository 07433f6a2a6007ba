import Imaging
import Testing

@Suite struct ForeignFormatTests {
    /// A file of boxes with these brands, the major one first.
    static func media(_ brands: String...) -> [UInt8] {
        let content = Array("ftyp".utf8) + Array(brands[0].utf8) + [0, 0, 0, 0] + brands.dropFirst().flatMap(\.utf8)
        return [0, 0, 0, UInt8(content.count + 4)] + content + [0, 0, 0, 8] + Array("mdat".utf8)
    }

    static let files: [(bytes: [UInt8], name: String, converter: String)] = [
        (media("heic", "mif1", "heic"), "HEIC", "heif-convert"), (media("mif1", "heic"), "HEIC", "heif-convert"),
        (media("avif", "mif1"), "AVIF", "heif-convert"), (media("mif1", "avif"), "AVIF", "heif-convert"),
        (media("crx ", "isom"), "CR3", "darktable-cli"), (media("isom", "mp42"), "video", "ffmpeg"),
        ([0xFF, 0x0A, 1, 2], "JPEG XL", "djxl"),
        ([0, 0, 0, 12] + Array("JXL \r\n".utf8) + [0x87, 0x0A], "JPEG XL", "djxl"),
        ([0, 0, 0, 12] + Array("jP  \r\n".utf8) + [0x87, 0x0A], "JPEG 2000", "opj_decompress"),
        ([0xFF, 0x4F, 0xFF, 0x51, 0, 1], "JPEG 2000", "opj_decompress"),
        (Array("RIFF".utf8) + [9, 0, 0, 0] + Array("WEBPVP8 ".utf8), "WebP", "dwebp"),
        (Array("GIF89a".utf8), "GIF", "magick"), (Array("BM".utf8) + [1, 2, 3, 4], "BMP", "magick"),
        (Array("8BPS".utf8) + [0, 1], "PSD", "magick"), (Array("%PDF-1.7".utf8), "PDF", "pdftoppm"),
        (Array("<?xml version=\"1.0\"?>\n<svg width=\"1\">".utf8), "SVG", "rsvg-convert"),
        (Array("IIRO".utf8) + [8, 0], "ORF", "darktable-cli"),
        (Array("IIU\0".utf8) + [8, 0], "RW2", "darktable-cli"),
        (Array("FUJIFILMCCD-RAW 0201".utf8), "RAF", "darktable-cli"),
    ]

    @Test(arguments: files) func `other formats are called by name, with what converts them`(
        bytes: [UInt8], name: String, converter: String
    ) throws {
        let error = try #require(throws: ImageError.self) { try Image(data: bytes, name: "x.png") }
        #expect(error.code == .notAnImage)
        #expect(error.reason.contains(name) && error.reason.contains(converter), "\(error)")
        // Cut off anywhere, it is still no image, and no trap.
        for count in bytes.indices {
            #expect(throws: ImageError.self) { try Image(data: Array(bytes.prefix(count))) }
        }
    }

    @Test func `limits are named as the settings are that raise them`() throws {
        let bytes = try TestImage().tiff()
        for (limits, setting) in [
            (ImageLimits(maximumSide: 20), "side"), (ImageLimits(maximumPixels: 272), "pixels"),
        ] {
            let error = try #require(throws: ImageError.self) { try Image(data: bytes, limits: limits) }
            #expect(error.reason.contains("limits: \(setting)") && error.reason.contains("--limits-\(setting)"))
        }
        try withScratchFile(bytes) { path in
            let error = #expect(throws: ImageError.self) {
                try Image(file: path, limits: ImageLimits(maximumFileBytes: 100))
            }
            #expect(error?.reason.contains("limits: bytes") == true)
        }
    }

    @Test func `code points of colours are kept`() throws {
        let picture = TestImage(width: 4, height: 3, bits: 16)
        let image = try Image(data: picture.png([("cICP", [9, 16, 0, 1])]))
        #expect(image.metadata.codePoints == [9, 16, 0, 1] && image.warnings == [])
        #expect(try Image(data: image.pngData()).metadata == image.metadata)
        let odd = try Image(data: picture.png([("cICP", [9, 16])]))
        #expect(odd.metadata.codePoints == nil && odd.warnings.contains { $0.contains("cICP") })
    }
}
