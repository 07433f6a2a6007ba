import ImageFormats

/// The first chunk of a PNG file: what can be known of it before anything is decoded.
struct PNGHeader: Sendable, Equatable {
    /// Pixels in a row, at least 1.
    let width: Int
    /// Pixels in a column, at least 1.
    let height: Int
    /// Bits of a sample, or of a palette index, in the file: 1, 2, 4, 8 or 16.
    let bitDepth: Int
    /// Samples per pixel in the file, alpha included; 1 for a palette.
    let samplesPerPixel: Int
    /// Colour channels once decoded: 1 for gray, 3 for colour and for palettes.
    let channels: Int

    /// The signature, and the chunk IHDR with its length, name, 13 bytes of content and checksum.
    static let byteCount = ImageHeader.pngHeaderByteCount

    /// Parses the first bytes of a file called `name`. Combinations of fields are left to the decoder to judge.
    init(_ bytes: [UInt8], name: String) throws(ImageError) {
        guard bytes.count >= Self.byteCount else { throw .truncated(name, .png, "it ends within the header") }
        func number(at offset: Int) -> Int { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        guard number(at: 8) == 13, bytes[12..<16].elementsEqual("IHDR".utf8) else {
            throw .corrupt(name, .png, "the first chunk is not a header")
        }
        width = number(at: 16)
        height = number(at: 20)
        bitDepth = Int(bytes[24])
        guard width > 0, height > 0, width <= 0x7FFF_FFFF, height <= 0x7FFF_FFFF else {
            throw .corrupt(name, .png, "its size is given as \(width) x \(height)")
        }
        switch bytes[25] {
        case 0: (samplesPerPixel, channels) = (1, 1)
        case 2: (samplesPerPixel, channels) = (3, 3)
        case 3: (samplesPerPixel, channels) = (1, 3)
        case 4: (samplesPerPixel, channels) = (2, 1)
        case 6: (samplesPerPixel, channels) = (4, 3)
        default: throw .corrupt(name, .png, "colour type \(bytes[25]) does not exist")
        }
    }

    /// Refuses an image beyond the limits, and one whose file of `fileBytes` cannot hold that many pixels.
    func check(_ limits: ImageLimits, fileBytes: Int, name: String) throws(ImageError) {
        try limits.check(width: width, height: height, name: name)
        // Deflate makes at most 1032 bytes of one, so a shorter file is cut off for certain.
        let decodedBytes = height * ((width * samplesPerPixel * bitDepth + 7) / 8)
        guard decodedBytes / 1032 <= fileBytes else {
            throw .truncated(name, .png, "\(fileBytes) bytes cannot hold \(width) x \(height) pixels")
        }
    }
}
