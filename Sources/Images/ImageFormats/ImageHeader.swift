/// What the first bytes of an image file say of its size, read without a decoder: enough to refuse a large image before
/// anything else is done with it. Whether the file keeps its word is the decoder's to see.
public struct ImageHeader: Sendable, Equatable {
    /// The format.
    public let format: ImageFormat
    /// Pixels in a row, before any orientation is applied.
    public let width: Int
    /// Pixels in a column, before any orientation is applied.
    public let height: Int

    /// Reads parts of a file: bytes from an offset on, as many as asked for or as there are.
    public typealias Source<Failure: Error> = (_ offset: Int, _ count: Int) throws(Failure) -> [UInt8]

    /// Looks for the size.
    /// - Returns: nil if the file is of no known format or does not say its size where it should.
    public init?<Failure: Error>(_ read: Source<Failure>) throws(Failure) {
        let first = try read(0, Self.pngHeaderByteCount)
        guard let format = ImageFormat(signature: first) else { return nil }
        let size =
            switch format {
            case .png: Self.pngSize(first)
            case .jpeg: try Self.jpegSize(read)
            case .tiff: try Self.tiffSize(first, read)
            }
        guard let size else { return nil }
        self.format = format
        (width, height) = size
    }

    /// In PNG files the signature, and the chunk IHDR with its length, name, 13 bytes of content and checksum.
    package static let pngHeaderByteCount = 33

    private static func pngSize(_ first: [UInt8]) -> (Int, Int)? {
        guard first.count >= 24, first[12..<16].elementsEqual("IHDR".utf8) else { return nil }
        let (width, height) = (first.number(at: 16, 4), first.number(at: 20, 4))
        // What the format does not allow is the decoder's to refuse.
        return max(width, height) <= 0x7FFF_FFFF ? (width, height) : nil
    }

    /// Walks over the markers to the one that begins a frame.
    private static func jpegSize<Failure: Error>(_ read: Source<Failure>) throws(Failure) -> (Int, Int)? {
        var offset = 2
        for _ in 0..<maximumSegments {
            let marker = try read(offset, 9)
            guard marker.count >= 4, marker[0] == 0xFF else { return nil }
            switch marker[1] {
            case 0xFF: offset += 1  // A fill byte.
            case 0x01, 0xD0...0xD8: offset += 2
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
                return marker.count == 9 ? (marker.number(at: 7, 2), marker.number(at: 5, 2)) : nil
            case 0xD9, 0xDA: return nil
            default: offset += 2 + max(2, marker.number(at: 2, 2))
            }
        }
        return nil
    }

    private static let maximumSegments = 4096

    /// Looks into the first directory.
    private static func tiffSize<Failure: Error>(
        _ first: [UInt8], _ read: Source<Failure>
    ) throws(Failure) -> (Int, Int)? {
        let isLittle = first[0] == 0x49
        let isBig = first[isLittle ? 2 : 3] == 43
        let (countBytes, entryBytes, valueOffset) = isBig ? (8, 20, 12) : (2, 12, 8)
        let place = isBig ? (8, 8) : (4, 4)
        guard first.count >= place.0 + place.1 else { return nil }
        let offset = first.number(at: place.0, place.1, isLittle: isLittle)
        guard offset >= 0, offset < Int.max / 2 else { return nil }
        let head = try read(offset, countBytes)
        guard head.count == countBytes else { return nil }
        let count = head.number(at: 0, countBytes, isLittle: isLittle)
        guard 1...65_535 ~= count else { return nil }
        let entries = try read(offset + countBytes, count * entryBytes)
        var size: [Int: Int] = [:]
        for start in stride(from: 0, through: entries.count - entryBytes, by: entryBytes) {
            let tag = entries.number(at: start, 2, isLittle: isLittle)
            // Short, long, or (in BigTIFF) 64 bits.
            let bytes = [3: 2, 4: 4, 16: 8][entries.number(at: start + 2, 2, isLittle: isLittle)]
            guard tag == 256 || tag == 257, let bytes, valueOffset + bytes <= entryBytes else { continue }
            size[tag] = entries.number(at: start + valueOffset, bytes, isLittle: isLittle)
        }
        guard let width = size[256], let height = size[257] else { return nil }
        return (width, height)
    }
}

extension [UInt8] {
    /// The unsigned number in `count` bytes from `offset` on; one beyond `Int.max` counts as `Int.max`.
    package func number(at offset: Int, _ count: Int, isLittle: Bool = false) -> Int {
        let bytes = self[offset..<offset + count]
        let value = isLittle ? bytes.reversed().reduce(UInt64(0), Self.append) : bytes.reduce(UInt64(0), Self.append)
        return Int(clamping: value)
    }

    private static func append(_ value: UInt64, _ byte: UInt8) -> UInt64 { value << 8 | UInt64(byte) }
}
