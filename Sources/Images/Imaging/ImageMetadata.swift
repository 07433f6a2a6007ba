/// What an image file says about the meaning of its samples and pixels, carried from an input to what is made of it.
///
/// Values are kept as the integers of a PNG file, so that writing them again changes nothing. Pixels are never converted:
/// all work is done on the encoded samples.
public struct ImageMetadata: Sendable, Equatable {
    /// Density of pixels on paper (chunk pHYs).
    public struct PixelDensity: Sendable, Equatable {
        /// Pixels per unit along a row.
        public var horizontal: UInt32
        /// Pixels per unit along a column.
        public var vertical: UInt32
        /// Whether the unit is the metre; otherwise only the ratio of the two has a meaning.
        public var isPerMetre: Bool

        /// A density of this many pixels per unit.
        public init(horizontal: UInt32, vertical: UInt32, isPerMetre: Bool) {
            self.horizontal = horizontal
            self.vertical = vertical
            self.isPerMetre = isPerMetre
        }
    }

    /// Colour primaries, transfer function, matrix and range by the numbers of ITU-T H.273 (chunk cICP): four bytes. Where
    /// they are given, they count before all else that is said of colours.
    public var codePoints: [UInt8]?
    /// The encoding exponent times 100,000 (chunk gAMA); 45,455 is the usual 1/2.2.
    public var gamma: UInt32?
    /// x and y of the white point, red, green and blue, times 100,000: eight numbers (chunk cHRM).
    public var chromaticities: [UInt32]?
    /// The rendering intent, 0...3, where the samples are sRGB (chunk sRGB).
    public var standardRGBIntent: UInt8?
    /// The content of chunk iCCP as it stands in the file: the profile's name, a zero, a zero, the compressed profile.
    public var embeddedProfile: [UInt8]?
    /// Density of pixels on paper (chunk pHYs).
    public var pixelDensity: PixelDensity?

    /// No metadata.
    public init() {}

    /// The same metadata for an image `scale` times as wide and as high that covers the same area.
    public func enlarged(by scale: Int) -> ImageMetadata {
        var result = self
        if let density = pixelDensity, density.isPerMetre {
            // The format allows 31 bits.
            func times(_ value: UInt32) -> UInt32 { UInt32(min(UInt64(value) * UInt64(max(scale, 1)), 0x7FFF_FFFF)) }
            result.pixelDensity = PixelDensity(
                horizontal: times(density.horizontal), vertical: times(density.vertical), isPerMetre: true)
        }
        return result
    }

    /// Takes in one chunk's content. Returns a warning where the content is not what the format prescribes.
    mutating func take(chunk name: String, content: [UInt8]) -> String? {
        func number(at offset: Int) -> UInt32 {
            content[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        switch (name, content.count) {
        case ("cICP", 4): codePoints = codePoints ?? content
        case ("gAMA", 4): gamma = gamma ?? number(at: 0)
        case ("cHRM", 32): chromaticities = chromaticities ?? (0..<8).map { number(at: 4 * $0) }
        case ("sRGB", 1) where content[0] <= 3: standardRGBIntent = standardRGBIntent ?? content[0]
        case ("iCCP", 4...): embeddedProfile = embeddedProfile ?? content
        case ("pHYs", 9) where content[8] <= 1:
            pixelDensity =
                pixelDensity
                ?? PixelDensity(horizontal: number(at: 0), vertical: number(at: 4), isPerMetre: content[8] == 1)
        default: return "\(name): unexpected content of \(content.count) bytes left out"
        }
        return nil
    }

    /// The chunks to write, name and content, in the order that the format recommends.
    var chunks: [(name: String, content: [UInt8])] {
        func bytes(_ number: UInt32) -> [UInt8] {
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
        }
        var result: [(name: String, content: [UInt8])] = []
        if let codePoints, codePoints.count == 4 { result.append(("cICP", codePoints)) }
        if let gamma { result.append(("gAMA", bytes(gamma))) }
        if let chromaticities, chromaticities.count == 8 {
            result.append(("cHRM", chromaticities.flatMap(bytes)))
        }
        if let standardRGBIntent { result.append(("sRGB", [standardRGBIntent])) }
        if let embeddedProfile { result.append(("iCCP", embeddedProfile)) }
        if let pixelDensity {
            let unit: UInt8 = pixelDensity.isPerMetre ? 1 : 0
            result.append(("pHYs", bytes(pixelDensity.horizontal) + bytes(pixelDensity.vertical) + [unit]))
        }
        return result
    }
}
