import Imaging
import Tensors
import Testing

@Suite struct PNGReadingTests {
    @Test(arguments: [1, 2, 4, 8, 16], [false, true])
    func `gray of every depth stays one channel`(bitDepth: Int, isInterlaced: Bool) throws {
        let highest = (1 << bitDepth) - 1
        let samples = (0..<13 * 11).map { $0 * 7 % (highest + 1) }
        let png = RawPNG(
            width: 13, height: 11, bitDepth: bitDepth, colourType: 0, isInterlaced: isInterlaced, samples: samples)
        let image = try Image(data: png.bytes)
        #expect(image.colour.shape == [1, 11, 13])
        #expect(image.alpha == nil)
        #expect(image.bitDepth == (bitDepth == 16 ? .sixteen : .eight))
        // 1, 2 and 4 bits scale to 8 bits without remainder.
        #expect(image.colour.elements.map { Int(($0 * Float(highest)).rounded()) } == samples)
        #expect(image.colour.elements.allSatisfy { $0 >= 0 && $0 <= 1 })
        #expect(image.warnings.isEmpty)
    }

    @Test(arguments: [1, 2, 4, 8], [false, true])
    func `a palette becomes colour and its transparency alpha`(bitDepth: Int, isInterlaced: Bool) throws {
        let colours: [[UInt8]] = [[255, 0, 0], [0, 255, 0]] + (bitDepth > 1 ? [[0, 0, 255], [10, 20, 30]] : [])
        let opacities: [UInt8] = [255, 64]
        let indices = (0..<9 * 10).map { $0 * 3 % colours.count }
        var png = RawPNG(
            width: 9, height: 10, bitDepth: bitDepth, colourType: 3, isInterlaced: isInterlaced, samples: indices,
            chunks: [("PLTE", colours.flatMap { $0 })])
        let opaque = try Image(data: png.bytes)
        #expect(opaque.colour.shape == [3, 10, 9])
        #expect(opaque.alpha == nil)
        let expected = (0..<3).flatMap { channel in indices.map { Float(colours[$0][channel]) / 255 } }
        #expect(opaque.colour.elements == expected)

        png.chunks.append(("tRNS", opacities))
        let translucent = try Image(data: png.bytes)
        #expect(translucent.colour.elements == expected)
        #expect(translucent.alpha?.shape == [10, 9])
        #expect(translucent.alpha?.elements == indices.map { $0 < 2 ? Float(opacities[$0]) / 255 : 1 })
    }

    @Test(arguments: [(2, 3), (4, 2), (6, 4)], [8, 16])
    func `colour and alpha come in planes`(colourType: (type: Int, samples: Int), bitDepth: Int) throws {
        let highest = (1 << bitDepth) - 1
        let count = colourType.samples
        let samples = (0..<5 * 7 * count).map { ($0 * 40_503) % (highest + 1) }
        for isInterlaced in [false, true] {
            let png = RawPNG(
                width: 5, height: 7, bitDepth: bitDepth, colourType: colourType.type, isInterlaced: isInterlaced,
                samples: samples)
            let image = try Image(data: png.bytes)
            func plane(_ channel: Int) -> [Float] {
                (0..<35).map { Float(samples[$0 * count + channel]) / Float(highest) }
            }
            #expect(image.channels == (count == 2 ? 1 : 3))
            #expect(image.colour.elements == (0..<image.channels).flatMap(plane))
            #expect(image.alpha?.elements == (count % 2 == 0 ? plane(count - 1) : nil))
        }
    }

    @Test func `one transparent colour of an image without alpha becomes alpha`() throws {
        let png = RawPNG(
            width: 4, height: 1, bitDepth: 8, colourType: 0, samples: [0, 7, 8, 7], chunks: [("tRNS", [0, 7])])
        #expect(try Image(data: png.bytes).alpha?.elements == [1, 0, 1, 0])
    }

    @Test func `metadata comes as it stands in the file and goes out again`() throws {
        let chromaticities = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]
        let profile = Array("name".utf8) + [0, 0, 1, 2, 3]
        let png = RawPNG(
            width: 2, height: 1, bitDepth: 8, colourType: 2, samples: [1, 2, 3, 4, 5, 6],
            chunks: [
                ("gAMA", RawPNG.bigEndian(45_455)), ("cHRM", chromaticities.flatMap(RawPNG.bigEndian)),
                ("iCCP", profile), ("pHYs", RawPNG.bigEndian(2835) + RawPNG.bigEndian(2834) + [1]),
                ("tEXt", Array("Comment".utf8) + [0] + Array("left out".utf8)),
            ])
        let image = try Image(data: png.bytes)
        #expect(image.metadata.gamma == 45_455)
        #expect(image.metadata.chromaticities == chromaticities.map(UInt32.init))
        #expect(image.metadata.embeddedProfile == profile)
        #expect(image.metadata.pixelDensity == .init(horizontal: 2835, vertical: 2834, isPerMetre: true))
        #expect(image.metadata.standardRGBIntent == nil)
        #expect(image.warnings.isEmpty)
        let copy = try Image(data: image.pngData())
        #expect(copy == image)
        #expect(image.metadata.enlarged(by: 4).pixelDensity?.horizontal == 11_340)
    }

    @Test func `the standard RGB mark is carried over`() throws {
        let png = RawPNG(
            width: 1, height: 1, bitDepth: 8, colourType: 2, samples: [1, 2, 3], chunks: [("sRGB", [2])])
        let image = try Image(data: png.bytes)
        #expect(image.metadata.standardRGBIntent == 2)
        #expect(try Image(data: image.pngData()).metadata == image.metadata)
    }

    @Test func `odd chunks give warnings and an image`() throws {
        let png = RawPNG(
            width: 1, height: 1, bitDepth: 8, colourType: 0, samples: [1],
            chunks: [("gAMA", [1, 2]), ("sRGB", [9]), ("iCCP", [UInt8](repeating: 1, count: 2000))])
        var limits = ImageLimits.default
        limits.maximumChunkBytes = 1000
        let image = try Image(data: png.bytes, limits: limits)
        #expect(image.metadata == ImageMetadata())
        for chunk in ["gAMA", "sRGB", "iCCP"] {
            #expect(image.warnings.contains { $0.contains(chunk) }, "\(image.warnings)")
        }
    }
}
