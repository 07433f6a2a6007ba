import Foundation
import Imaging
import Tensors
import Testing

/// Every format's way of saying how a picture lies in the scene.
@Suite struct OrientationTests {
    enum Carrier: String, CaseIterable, Sendable {
        case jpeg, jpegWithLong, png, pngWithLong, pngBehindPixels, pngWithPrefix, tiff

        /// A file of the picture, turned.
        func file(_ picture: TestImage, _ orientation: Int, isLittle: Bool) throws -> [UInt8] {
            let isLong = self == .jpegWithLong || self == .pngWithLong
            let block = exifBlock(orientation, isLittle: isLittle, isLong: isLong)
            switch self {
            case .jpeg, .jpegWithLong: return try picture.jpeg(exif: Array("Exif\0\0".utf8) + block)
            case .png, .pngWithLong: return picture.png([("eXIf", block)])
            case .pngWithPrefix: return picture.png([("eXIf", Array("Exif\0\0".utf8) + block)])
            case .pngBehindPixels:
                var bytes = picture.png([])
                bytes.insert(contentsOf: RawPNG.chunk("eXIf", block), at: bytes.count - 12)
                return bytes
            case .tiff:
                return try picture.tiff(
                    TestImage.Layout(mode: isLittle ? "wl" : "wb", orientation: UInt16(orientation)))
            }
        }
    }

    @Test(arguments: Carrier.allCases, 1...8) func `orientation is applied and not carried on`(
        carrier: Carrier, orientation: Int
    ) throws {
        let picture = TestImage(width: 16, height: 8, channels: 1)
        for isLittle in [false, true] {
            let plain = try Image(data: carrier.file(picture, 1, isLittle: isLittle)).colour
            let image = try Image(data: carrier.file(picture, orientation, isLittle: isLittle))
            let turned = image.colour
            #expect(turned.shape == (orientation < 5 ? [1, 8, 16] : [1, 16, 8]))
            #expect(image.warnings == [])
            let (width, height) = (turned.shape[2], turned.shape[1])
            for y in 0..<height {
                for x in 0..<width {
                    let (column, row) =
                        switch orientation {
                        case 1: (x, y)
                        case 2: (15 - x, y)
                        case 3: (15 - x, 7 - y)
                        case 4: (x, 7 - y)
                        case 5: (y, x)
                        case 6: (y, 7 - x)
                        case 7: (15 - y, 7 - x)
                        default: (15 - y, x)
                        }
                    #expect(turned[y * width + x] == plain[row * 16 + column])
                }
            }
            // What is written lies as it is seen, and says nothing else.
            #expect(try Image(data: image.pngData()).colour.shape == turned.shape)
        }
    }

    @Test(arguments: [0, 9, 65_536, 65_537]) func `an orientation that does not exist says nothing`(value: Int) throws {
        let picture = TestImage(width: 4, height: 3, channels: 1)
        let block = exifBlock(value, isLittle: true, isLong: true)
        #expect(try Image(data: picture.png([("eXIf", block)])).width == 4)
    }

    @Test func `opacity and density turn with the picture`() throws {
        let picture = TestImage(width: 4, height: 3, channels: 2)
        let density = RawPNG.bigEndian(2000) + RawPNG.bigEndian(1000) + [1]
        let image = try Image(
            data: picture.png([
                ("pHYs", density), ("eXIf", exifBlock(6, isLittle: false, isLong: false)),
            ]))
        #expect(image.alpha?.shape == [4, 3])
        #expect(image.metadata.pixelDensity == .init(horizontal: 1000, vertical: 2000, isPerMetre: true))
    }
}

extension TestImage {
    /// A PNG file with these chunks.
    func png(_ chunks: [(name: String, content: [UInt8])]) -> [UInt8] {
        RawPNG(
            width: width, height: height, bitDepth: bits, colourType: [1: 0, 2: 4, 3: 2, 4: 6][channels] ?? 0,
            samples: samples.map(Int.init), chunks: chunks
        ).bytes
    }
}

/// An EXIF block, which is a small TIFF file, with an orientation after an entry of another tag.
func exifBlock(_ orientation: Int, isLittle: Bool, isLong: Bool) -> [UInt8] {
    func number(_ value: Int, _ count: Int) -> [UInt8] {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        return isLittle ? bytes : bytes.reversed()
    }
    let header = Array((isLittle ? "II" : "MM").utf8) + number(42, 2) + number(8, 4)
    let other = number(0x010F, 2) + number(3, 2) + number(1, 4) + number(7, 2) + [0, 0]
    let value = isLong ? number(orientation, 4) : number(orientation, 2) + [0, 0]
    let entry = number(0x0112, 2) + number(isLong ? 4 : 3, 2) + number(1, 4) + value
    return header + number(2, 2) + other + entry + number(0, 4)
}
