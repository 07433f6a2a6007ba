/// What a file is that is of none of the formats read here, by its first bytes, and what would make one of these of it.
package struct ForeignFormat {
    /// "this is a GIF image" and the like.
    package let description: String
    /// What to do about it.
    package let remedy: String

    /// - Parameter bytes: the file, or its beginning.
    package init(_ bytes: [UInt8]) {
        let head = Array(bytes.prefix(32))
        if let known = Self.signatures.first(where: { $0.matches(head) }) {
            self.init(known.name, known.converter)
        } else if Self.text(head, at: 4, 4) == "ftyp" {
            self.init(media: Self.brands(bytes))
        } else if bytes.isEmpty {
            self.init(plain: "the file is empty")
        } else if bytes.prefix(4096).contains("<svg".utf8) {
            self.init("an SVG drawing", "rsvg-convert -o OUT.png IN.svg")
        } else if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 >= 0x80 || (9...13).contains($0) }) {
            self.init(plain: "this is text, by the look of it")
        } else {
            self.init(plain: "this is data of some other kind")
        }
    }

    private init(_ name: String, _ converter: String?) {
        description = "this is \(name)"
        remedy = converter.map { "convert it first (\($0))" } ?? "give one of these"
    }

    private init(plain description: String) {
        self.description = description
        remedy = "give one of these (convert other formats first)"
    }

    /// A file of boxes, as videos are too, by the brands that it claims.
    private init(media brands: [String]) {
        if brands.first == "crx " {
            self.init("a camera raw file (CR3)", Self.rawConverter)
        } else if brands.contains(where: { ["avif", "avis"].contains($0) }) {
            self.init("an AVIF image", "heif-convert IN.avif OUT.png")
        } else if brands.contains(where: { ["heic", "heix", "heim", "heis", "hevc", "mif1", "msf1"].contains($0) }) {
            self.init("an HEIC image", "heif-convert IN.heic OUT.png")
        } else {
            self.init("a video, or another file of its family", "ffmpeg -i IN -frames 1 OUT.png")
        }
    }

    private static let rawConverter = "darktable-cli IN OUT.tif"

    private struct Signature {
        /// Bytes that a file has at an offset.
        var parts: [(offset: Int, bytes: [UInt8])]
        var name: String
        var converter: String?

        init(_ text: String, at offset: Int = 0, _ name: String, _ converter: String?) {
            self.init([(offset, Array(text.utf8))], name, converter)
        }

        init(_ parts: [(offset: Int, bytes: [UInt8])], _ name: String, _ converter: String?) {
            self.parts = parts
            self.name = name
            self.converter = converter
        }

        func matches(_ head: [UInt8]) -> Bool {
            parts.allSatisfy { part in head.dropFirst(part.offset).starts(with: part.bytes) }
        }
    }

    private static let signatures: [Signature] = [
        Signature([(0, [0xFF, 0x0A])], "a JPEG XL image", "djxl IN.jxl OUT.png"),
        Signature([(4, Array("JXL \r\n".utf8) + [0x87, 0x0A])], "a JPEG XL image", "djxl IN.jxl OUT.png"),
        Signature(
            [(4, Array("jP  \r\n".utf8) + [0x87, 0x0A])], "a JPEG 2000 image", "opj_decompress -i IN.jp2 -o OUT.png"),
        Signature([(0, [0xFF, 0x4F, 0xFF, 0x51])], "a JPEG 2000 image", "opj_decompress -i IN.j2k -o OUT.png"),
        Signature(
            [(0, Array("RIFF".utf8)), (8, Array("WEBP".utf8))], "a WebP image", "dwebp IN.webp -o OUT.png"),
        Signature("GIF8", "a GIF image", "magick 'IN.gif[0]' OUT.png"),
        Signature("BM", "a BMP image", "magick IN.bmp OUT.png"),
        Signature("8BPS", "a Photoshop document (PSD)", "magick 'IN.psd[0]' OUT.png"),
        Signature("%PDF", "a PDF document", "pdftoppm -r 300 -png IN.pdf OUT"),
        Signature("IIRO", "a camera raw file (ORF)", rawConverter),
        Signature("IIRS", "a camera raw file (ORF)", rawConverter),
        Signature("MMOR", "a camera raw file (ORF)", rawConverter),
        Signature([(0, Array("IIU\0".utf8))], "a camera raw file (RW2)", rawConverter),
        Signature("FUJIFILMCCD-RAW", "a camera raw file (RAF)", rawConverter),
        Signature("FOVb", "a camera raw file (X3F)", rawConverter),
        Signature([(0, [0x76, 0x2F, 0x31, 0x01])], "an OpenEXR image", "magick IN.exr -depth 16 OUT.png"),
        Signature("#?RADIANCE", "a Radiance HDR image", "magick IN.hdr -depth 16 OUT.png"),
        Signature("qoif", "a QOI image", "magick IN.qoi OUT.png"),
        Signature("RIFF", "a RIFF file", nil),
    ]

    /// The brands of a box `ftyp` at the beginning: the major one, then those that the file is compatible with.
    private static func brands(_ bytes: [UInt8]) -> [String] {
        let end = min(bytes.count, bytes.number(at: 0, 4), 256)
        let offsets = [8] + stride(from: 16, to: Swift.max(16, end - 3), by: 4)
        return offsets.compactMap { text(bytes, at: $0, 4) }
    }

    private static func text(_ bytes: [UInt8], at offset: Int, _ count: Int) -> String? {
        guard offset + count <= bytes.count else { return nil }
        return String(decoding: bytes[offset..<offset + count], as: UTF8.self)
    }
}
