/// Puts PNG files together byte by byte, without libpng: of every colour type and depth, interlaced or not, and broken ones.
///
/// Rows are unfiltered and the zlib stream holds stored blocks only, so what a file means can be read off its samples.
struct RawPNG {
    var width: Int
    var height: Int
    var bitDepth: Int
    /// 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.
    var colourType: Int
    var isInterlaced = false
    /// Samples in reading order: `[y][x][sample]`, flattened.
    var samples: [Int]
    /// Chunks between header and pixels.
    var chunks: [(name: String, content: [UInt8])] = []

    var samplesPerPixel: Int { [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][colourType] ?? 1 }

    var bytes: [UInt8] {
        let header =
            Self.bigEndian(width) + Self.bigEndian(height) + [
                UInt8(bitDepth), UInt8(colourType), 0, 0, isInterlaced ? 1 : 0,
            ]
        var result = Self.signature + Self.chunk("IHDR", header)
        for chunk in chunks { result += Self.chunk(chunk.name, chunk.content) }
        return result + Self.chunk("IDAT", Self.zlibStored(scanlines)) + Self.chunk("IEND", [])
    }

    private var scanlines: [UInt8] {
        // Adam7: where each pass begins and how far its pixels lie apart.
        let passes: [(Int, Int, Int, Int)] =
            isInterlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)]
        var result: [UInt8] = []
        for (left, top, stepX, stepY) in passes where left < width && top < height {
            for y in stride(from: top, to: height, by: stepY) {
                var row: [Int] = []
                for x in stride(from: left, to: width, by: stepX) {
                    row += samples.dropFirst((y * width + x) * samplesPerPixel).prefix(samplesPerPixel)
                }
                result += [0] + packed(row)
            }
        }
        return result
    }

    private func packed(_ row: [Int]) -> [UInt8] {
        if bitDepth == 16 { return row.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
        var bytes = [UInt8](repeating: 0, count: (row.count * bitDepth + 7) / 8)
        for (index, sample) in row.enumerated() {
            bytes[index * bitDepth / 8] |= UInt8(sample) << UInt8(8 - bitDepth - index * bitDepth % 8)
        }
        return bytes
    }

    static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

    static func bigEndian(_ number: Int) -> [UInt8] {
        [24, 16, 8, 0].map { (shift: Int) -> UInt8 in UInt8(truncatingIfNeeded: number >> shift) }
    }

    static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + content
        return bigEndian(content.count) + body + bigEndian(Int(checksum(body)))
    }

    /// CRC-32 of PNG and zlib.
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var remainder: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return ~remainder
    }

    static func zlibStored(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [0x78, 0x01]
        var start = 0
        repeat {
            let count = min(65_535, bytes.count - start)
            let isLast: UInt8 = start + count == bytes.count ? 1 : 0
            result += [isLast, UInt8(count & 255), UInt8(count >> 8), ~UInt8(count & 255), ~UInt8(count >> 8)]
            result += bytes[start..<start + count]
            start += count
        } while start < bytes.count
        var (low, high) = (1, 0)
        for byte in bytes {
            low = (low + Int(byte)) % 65_521
            high = (high + low) % 65_521
        }
        return result + bigEndian(high << 16 | low)
    }
}
