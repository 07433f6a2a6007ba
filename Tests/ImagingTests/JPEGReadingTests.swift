import Foundation
import Imaging
import Tensors
import TestSupport
import Testing

@Suite struct JPEGReadingTests {
    @Test(arguments: [1, 3], [false, true]) func `gray and colour are read closely`(
        channels: Int, isProgressive: Bool
    ) throws {
        let picture = TestImage(channels: channels)
        let image = try Image(data: picture.jpeg(isProgressive: isProgressive))
        #expect(image.colour.shape == [channels, picture.height, picture.width])
        #expect(image.alpha == nil && image.bitDepth == .eight && image.warnings == [])
        let differences = zip(image.colour.elements, picture.planes).map { abs($0 - $1) }
        #expect((differences.max() ?? 1) < 0.03)
    }

    @Test func `what the content says counts, not the name`() throws {
        try withScratchFile(TestImage().jpeg()) { (path) throws in
            #expect(path.hasSuffix(".png"))
            #expect(try Image(file: path).width == 21)
        }
    }

    @Test func `CMYK is refused in so many words`() throws {
        let error = #expect(throws: ImageError.self) { try Image(data: TestImage(channels: 4).jpeg()) }
        #expect(error?.code == .unsupported)
        #expect(error?.reason.contains("CMYK") == true && error?.reason.contains("RGB") == true)
    }

    @Test(arguments: 1...8, [false, true]) func `the camera's orientation is applied`(
        orientation: Int, isLittle: Bool
    ) throws {
        let picture = TestImage(width: 16, height: 8, channels: 1)
        let plain = try Image(data: picture.jpeg()).colour
        let turned = try Image(data: picture.jpeg(exif: exif(orientation, isLittle: isLittle))).colour
        #expect(turned.shape == (orientation < 5 ? [1, 8, 16] : [1, 16, 8]))
        let (width, height) = (turned.shape[2], turned.shape[1])
        for y in 0..<height {
            for x in 0..<width {
                // Where the standard says that row 0 and column 0 of the stored picture are in the scene.
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
    }

    @Test(arguments: [
        [], [0x49], Array("II*\0".utf8), Array("II*\0\u{8}\0\0\0".utf8), Array("MM\0*\0\0\0\u{8}".utf8) + [0xFF, 0xFF],
        Array("II*\0".utf8) + [0xFF, 0xFF, 0xFF, 0xFF],
    ]) func `EXIF that is damaged says nothing`(content: [UInt8]) throws {
        let picture = TestImage(channels: 1)
        let image = try Image(data: picture.jpeg(exif: Array("Exif\0\0".utf8) + content))
        #expect(image.width == picture.width)
    }

    @Test func `profile and density go along into a PNG file`() throws {
        let profile = colourProfile("RGB ", count: 100_000)
        let image = try Image(data: TestImage().jpeg(dotsPerInch: 254, profile: profile))
        #expect(image.warnings == [])
        #expect(image.metadata.pixelDensity == .init(horizontal: 10_000, vertical: 10_000, isPerMetre: true))
        let copy = try Image(data: image.pngData())
        #expect(copy.metadata == image.metadata)
        #expect(try decompressedProfile(copy.metadata.embeddedProfile) == profile)
    }

    @Test func `a profile that does not fit is left out with a warning`() throws {
        let damaged = [UInt8](repeating: 1, count: 500)
        for (profile, word) in [(colourProfile("GRAY"), "another kind"), (damaged, "damaged")] {
            let image = try Image(data: TestImage().jpeg(profile: profile))
            #expect(image.metadata.embeddedProfile == nil)
            #expect(image.warnings.count == 1 && image.warnings[0].contains(word), "\(image.warnings)")
        }
        let large = try TestImage().jpeg(profile: colourProfile("RGB "))
        let image = try Image(data: large, limits: ImageLimits(maximumChunkBytes: 1000))
        #expect(image.metadata.embeddedProfile == nil && image.warnings.count == 1, "\(image.warnings)")
    }

    @Test func `an image beyond the limits is refused on its header`() throws {
        let bytes = try TestImage().jpeg()
        for limits in [ImageLimits(maximumSide: 20), ImageLimits(maximumPixels: 272)] {
            let error = #expect(throws: ImageError.self) { try Image(data: bytes, limits: limits) }
            #expect(error?.code == .tooLarge && error?.reason.contains("21 x 13") == true)
        }
        var bomb = bytes
        let frame = try #require(bytes.indices.dropLast().first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
        bomb.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xFF, 0xFF, 0xFF])
        try withScratchFile(bomb) { path in
            let error = #expect(throws: ImageError.self) { try Image(file: path) }
            #expect(error?.code == .tooLarge && error?.reason.contains("65535 x 65535") == true)
        }
    }

    @Test(arguments: [false, true]) func `a file cut off anywhere is truncated`(isProgressive: Bool) throws {
        let bytes = try TestImage().jpeg(isProgressive: isProgressive)
        for count in stride(from: 2, to: bytes.count, by: 11) {
            let error = #expect(throws: ImageError.self) { try Image(data: Array(bytes.prefix(count))) }
            #expect(error?.code == .truncated, "cut at \(count) of \(bytes.count): \(String(describing: error))")
        }
    }

    @Test(arguments: [false, true]) func `any changed byte gives an image or a typed error`(
        isProgressive: Bool
    ) throws {
        let bytes = try TestImage().jpeg(isProgressive: isProgressive, profile: colourProfile("RGB ", count: 200))
        var random = RandomStream(seed: 4, name: "damage")
        for position in bytes.indices {
            var changed = bytes
            changed[position] ^= UInt8(1 + random.index(below: 255))
            expectImageOrTypedError(changed)
        }
    }

    /// An EXIF marker's content with an orientation, after an entry of another tag.
    private func exif(_ orientation: Int, isLittle: Bool) -> [UInt8] {
        func number(_ value: Int, _ count: Int) -> [UInt8] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            return isLittle ? bytes : bytes.reversed()
        }
        func entry(_ tag: Int, _ value: Int) -> [UInt8] {
            number(tag, 2) + number(3, 2) + number(1, 4) + number(value, 2) + number(0, 2)
        }
        let header = Array((isLittle ? "II" : "MM").utf8) + number(42, 2) + number(8, 4)
        return Array("Exif\0\0".utf8) + header + number(2, 2) + entry(0x0103, 6) + entry(0x0112, orientation)
            + number(0, 4)
    }
}
