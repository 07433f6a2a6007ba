/// Bounds on what is decoded, checked on the file's size and header before any memory is given to pixels: the defence
/// against decompression bombs.
public struct ImageLimits: Sendable, Equatable {
    /// The greatest width and the greatest height, in pixels.
    public var maximumSide: Int
    /// The greatest number of pixels, width times height.
    public var maximumPixels: Int
    /// The greatest size of the file, in bytes.
    public var maximumFileBytes: Int
    /// The greatest ancillary chunk (a colour profile, say) that is kept, in bytes; larger ones are left out, with a
    /// warning.
    public var maximumChunkBytes: Int

    /// Limits of one's own; the defaults are those of ``default``.
    public init(
        maximumSide: Int = 32_768, maximumPixels: Int = 1 << 26, maximumFileBytes: Int = 512 << 20,
        maximumChunkBytes: Int = 4 << 20
    ) {
        self.maximumSide = maximumSide
        self.maximumPixels = maximumPixels
        self.maximumFileBytes = maximumFileBytes
        self.maximumChunkBytes = maximumChunkBytes
    }

    /// Refuses a size beyond the limits.
    func check(width: Int, height: Int, name: String) throws(ImageError) {
        let size = "the image is \(width) x \(height) pixels"
        guard max(width, height) <= maximumSide else {
            throw .tooLarge(name, size, limit: "\(maximumSide) pixels a side", setting: "side")
        }
        // Beyond 2^40 pixels, byte counts would no longer fit an Int.
        let maximumPixels = min(maximumPixels, 1 << 40)
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard !overflow, pixels <= maximumPixels else {
            throw .tooLarge(name, size, limit: "\(maximumPixels) pixels in all", setting: "pixels")
        }
    }

    /// 32,768 pixels a side, 2^26 (67 million) pixels, a 512 MiB file, 4 MiB chunks.
    public static let `default` = ImageLimits()
}
