import CPNG
import ImageFormats

extension ImageMetadata {
    /// Takes in a colour profile (ICC) as JPEG and TIFF files hold it.
    /// - Parameters:
    ///   - profile: its bytes.
    ///   - channels: the image's colour channels.
    ///   - limit: the most that is kept, in bytes.
    /// - Returns: a warning where it is left out.
    mutating func take(profile: [UInt8], channels: Int, limit: Int) -> String? {
        // The header has 128 bytes; it names the kind of colours that the profile is for.
        guard profile.count >= 128, profile.number(at: 0, 4) == profile.count else {
            return "damaged colour profile left out"
        }
        guard profile.count <= limit else { return "colour profile of \(profile.count) bytes left out: too large" }
        guard profile[16..<20].elementsEqual((channels == 1 ? "GRAY" : "RGB ").utf8) else {
            return "colour profile for another kind of colours left out"
        }
        var output = dkp_png_output()
        defer { dkp_png_output_free(&output) }
        let status = profile.withUnsafeBufferPointer { bytes in
            bytes.baseAddress.map { dkp_png_compress($0, bytes.count, &output) }
        }
        guard status == .DKP_PNG_OK else { return "colour profile left out: not enough memory" }
        embeddedProfile =
            Array("ICC profile".utf8) + [0, 0] + UnsafeBufferPointer(start: output.bytes, count: output.count)
        return nil
    }

    /// Takes in a density in pixels per unit, which is so many metres long, or nil if only the ratio has a meaning.
    mutating func take(horizontal: Double, vertical: Double, metresPerUnit: Double?) {
        // The format allows 31 bits.
        let range = 1...Double(0x7FFF_FFFF)
        let (x, y) = (horizontal / (metresPerUnit ?? 1), vertical / (metresPerUnit ?? 1))
        guard range.contains(x.rounded()), range.contains(y.rounded()) else { return }
        pixelDensity = PixelDensity(
            horizontal: UInt32(x.rounded()), vertical: UInt32(y.rounded()), isPerMetre: metresPerUnit != nil)
    }

    static let metresPerInch = 0.0254
    static let metresPerCentimetre = 0.01
}
