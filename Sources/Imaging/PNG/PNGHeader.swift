/// The first chunk of a PNG file: what can be known of an image before anything is decoded.
public struct PNGHeader: Sendable, Equatable {
    /// Pixels in a row, at least 1.
    public let width: Int
    /// Pixels in a column, at least 1.
    public let height: Int
    /// Bits of a sample, or of a palette index, in the file: 1, 2, 4, 8 or 16.
    public let bitDepth: Int
    /// Samples per pixel in the file, alpha included; 1 for a palette.
    public let samplesPerPixel: Int
    /// Colour channels once decoded: 1 for gray, 3 for colour and for palettes.
    public let channels: Int

    static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// The signature, and the chunk IHDR with its length, name, 13 bytes of content and checksum.
    static let byteCount = 33

    /// Reads the header of the file at `path`, and nothing else.
    ///
    /// - Throws: ``ImageError`` where there is no regular file, or one that does not begin as a PNG file does.
    public init(pngFile path: String) throws(ImageError) {
        let file = try InputFile(path: path)
        try self.init(file.read(upTo: Self.byteCount), name: path)
    }

    /// Parses the first bytes of a file called `name`. Combinations of fields are left to the decoder to judge.
    init(_ bytes: [UInt8], name: String) throws(ImageError) {
        guard !bytes.isEmpty else { throw .notAnImage(name, "the file is empty") }
        guard bytes.prefix(8).elementsEqual(Self.signature.prefix(bytes.count)) else {
            throw .notAnImage(name, "the file does not begin with the PNG signature: it is \(Self.guess(bytes))")
        }
        guard bytes.count >= Self.byteCount else { throw .truncated(name, "it ends within the header") }
        func number(at offset: Int) -> Int { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        guard number(at: 8) == 13, bytes[12..<16].elementsEqual("IHDR".utf8) else {
            throw .corrupt(name, "the first chunk is not a header")
        }
        width = number(at: 16)
        height = number(at: 20)
        bitDepth = Int(bytes[24])
        guard width > 0, height > 0, width <= 0x7FFF_FFFF, height <= 0x7FFF_FFFF else {
            throw .corrupt(name, "its size is given as \(width) x \(height)")
        }
        switch bytes[25] {
        case 0: (samplesPerPixel, channels) = (1, 1)
        case 2: (samplesPerPixel, channels) = (3, 3)
        case 3: (samplesPerPixel, channels) = (1, 3)
        case 4: (samplesPerPixel, channels) = (2, 1)
        case 6: (samplesPerPixel, channels) = (4, 3)
        default: throw .corrupt(name, "colour type \(bytes[25]) does not exist")
        }
    }

    /// Refuses an image beyond the limits, and one whose file of `fileBytes` cannot hold that many pixels.
    func check(_ limits: ImageLimits, fileBytes: Int, name: String) throws(ImageError) {
        let size = "the image is \(width) x \(height) pixels"
        guard max(width, height) <= limits.maximumSide else {
            throw .tooLarge(name, size, limit: "\(limits.maximumSide) pixels a side")
        }
        // Beyond 2^40 pixels, byte counts would no longer fit an Int.
        let maximumPixels = min(limits.maximumPixels, 1 << 40)
        guard width * height <= maximumPixels else {
            throw .tooLarge(name, size, limit: "\(maximumPixels) pixels in all")
        }
        // Deflate makes at most 1032 bytes of one, so a shorter file is cut off for certain.
        let decodedBytes = height * ((width * samplesPerPixel * bitDepth + 7) / 8)
        guard decodedBytes / 1032 <= fileBytes else {
            throw .truncated(name, "\(fileBytes) bytes cannot hold \(width) x \(height) pixels")
        }
    }

    private static func guess(_ bytes: [UInt8]) -> String {
        switch Array(bytes.prefix(4)) {
        case let head where head.starts(with: [0xFF, 0xD8, 0xFF]): "a JPEG image"
        case let head where head.elementsEqual("GIF8".utf8): "a GIF image"
        case let head where head.elementsEqual("RIFF".utf8): "a RIFF file (WebP, perhaps)"
        case let head where head.starts(with: "BM".utf8): "a BMP image"
        case let head where head == [0x49, 0x49, 0x2A, 0] || head == [0x4D, 0x4D, 0, 0x2A]: "a TIFF image"
        case let head where head.elementsEqual("%PDF".utf8): "a PDF document"
        default:
            bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 >= 0x80 || (9...13).contains($0) }
                ? "text, by the look of it" : "data of some other kind"
        }
    }
}
