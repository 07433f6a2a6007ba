/// The formats of image files that are read, recognised by their first bytes, whatever their names.
public enum ImageFormat: String, Sendable, Codable, CaseIterable {
    /// Portable Network Graphics.
    case png
    /// JPEG.
    case jpeg
    /// TIFF, BigTIFF included.
    case tiff

    /// How many of a file's first bytes tell its format.
    public static let signatureLength = 8

    /// The format of a file that begins with these bytes, nil if it is none of them.
    public init?(signature bytes: some Collection<UInt8>) {
        let bytes = Array(bytes.prefix(Self.signatureLength))
        let png = Self.pngSignature
        switch bytes.count {
        case 1... where bytes.elementsEqual(png.prefix(bytes.count)): self = .png
        case 2... where bytes.elementsEqual([0xFF, 0xD8]) || bytes.starts(with: [0xFF, 0xD8, 0xFF]): self = .jpeg
        case 4... where Self.tiffSignatures.contains(Array(bytes.prefix(4))): self = .tiff
        default: return nil
        }
    }

    private static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// Byte order, and 42 for TIFF or 43 for BigTIFF.
    private static let tiffSignatures: [[UInt8]] = [
        [0x49, 0x49, 42, 0], [0x4D, 0x4D, 0, 42], [0x49, 0x49, 43, 0], [0x4D, 0x4D, 0, 43],
    ]

    /// The format's name for people.
    public var name: String { rawValue.uppercased() }

    /// What files of the format end in, without the dot.
    public var fileExtension: String {
        switch self {
        case .png: "png"
        case .jpeg: "jpg"
        case .tiff: "tif"
        }
    }
}
