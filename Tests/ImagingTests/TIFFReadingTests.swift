import Foundation
import ImageFormats
import Imaging
import Tensors
import TestSupport
import Testing

@Suite struct TIFFReadingTests {
    typealias Layout = TestImage.Layout

    @Test(arguments: [8, 16], [1, 2, 3, 4])
    func `strips and tiles of every kind are read exactly`(bits: Int, samples: Int) throws {
        let picture = TestImage(channels: samples, bits: bits)
        let alphaKind: UInt16 = samples % 2 == 0 ? 2 : 0
        for mode in ["wl", "wb", "w8"] {
            for (compression, predictor) in [(1, 0), (5, 0), (5, 2), (8, 2), (32_773, 0), (50_000, 0)] {
                for isSeparate in [false, true] {
                    for tile in [0, 16] as [UInt32] {
                        let image = try Image(
                            data: picture.tiff(
                                Layout(
                                    mode: mode, compression: UInt16(compression), predictor: UInt16(predictor),
                                    isSeparate: isSeparate, tile: tile, extraSample: alphaKind)))
                        let read = image.colour.elements + (image.alpha?.elements ?? [])
                        #expect(read == picture.planes, "\(mode), compression \(compression), tile \(tile)")
                        #expect(image.bitDepth.rawValue == bits && image.warnings == [])
                        #expect((image.alpha != nil) == (samples % 2 == 0))
                    }
                }
            }
        }
    }

    @Test func `sixteen bits stay sixteen in the PNG file made of it`() throws {
        let picture = TestImage(bits: 16)
        let copy = try Image(data: Image(data: picture.tiff()).pngData())
        #expect(copy.bitDepth == .sixteen && copy.colour.elements == picture.planes)
    }

    @Test func `JPEG within TIFF is read closely`() throws {
        for photometric in [2, 6] as [UInt16] {
            let picture = TestImage(width: 32, height: 32)
            let layout = Layout(compression: 7, rowsPerStrip: 16, photometric: photometric)
            let image = try Image(data: picture.tiff(layout))
            let differences = zip(image.colour.elements, picture.planes).map { abs($0 - $1) }
            #expect((differences.max() ?? 1) < 0.03)
        }
    }

    @Test func `white that is zero is turned round`() throws {
        let picture = TestImage(channels: 1)
        let image = try Image(data: picture.tiff(Layout(photometric: 0)))
        #expect(image.colour.elements == picture.planes.map { 1 - $0 })
    }

    @Test func `colours that were multiplied by alpha come straight`() throws {
        let picture = TestImage(channels: 4, bits: 16)
        let image = try Image(data: picture.tiff(Layout(extraSample: 1)))
        let plane = picture.width * picture.height
        let alpha = Array(picture.planes[(3 * plane)...])
        for index in 0..<3 * plane {
            let expected = min(1, picture.planes[index] / alpha[index % plane])
            #expect(abs(image.colour.elements[index] - expected) < 1e-6)
        }
    }

    @Test func `a sample of no known meaning is left out with a warning`() throws {
        let image = try Image(data: TestImage(channels: 4).tiff())
        #expect(image.alpha == nil && image.warnings.contains { $0.contains("left out") })
    }

    @Test func `of several pages the first is read, with a warning`() throws {
        let picture = TestImage()
        let image = try Image(data: picture.tiff(Layout(pages: 3)))
        #expect(image.colour.elements == picture.planes)
        #expect(image.warnings == ["the file has several pages; the first is taken"])
    }

    @Test func `orientation, profile and density are honoured`() throws {
        let picture = TestImage(width: 4, height: 3, channels: 1)
        let profile = colourProfile("GRAY")
        let image = try Image(
            data: picture.tiff(Layout(orientation: 6, dotsPerInch: 300, profile: profile)))
        #expect(image.width == 3 && image.height == 4)
        // The last stored row is the first column of the scene.
        #expect(image.colour[0] == picture.planes[2 * 4])
        #expect(image.metadata.pixelDensity == .init(horizontal: 11_811, vertical: 11_811, isPerMetre: true))
        #expect(try decompressedProfile(image.metadata.embeddedProfile) == profile)
    }

    @Test(arguments: [
        (32, 3, Layout(format: 3), "floating-point"), (16, 1, Layout(format: 2), "format 2"),
        (32, 1, Layout(), "32 bits"), (8, 1, Layout(photometric: 3), "palette"),
        (8, 4, Layout(photometric: 5), "CMYK"), (8, 3, Layout(photometric: 8), "kind 8"),
        (8, 3, Layout(photometric: 6), "YCbCr"), (8, 1, Layout(photometric: 32_803), "sensor"),
    ]) func `what is not read is refused in so many words`(
        bits: Int, samples: Int, layout: Layout, word: String
    ) throws {
        let bytes = try TestImage(channels: samples, bits: bits).tiff(layout)
        let error = try #require(throws: ImageError.self) { try Image(data: bytes) }
        #expect(error.code == .unsupported && error.reason.contains(word), "\(error)")
        let remedies = ["-depth 16", "-type TrueColor", "darktable-cli"]
        #expect(remedies.contains { error.reason.contains($0) }, "\(error)")
    }

    @Test(arguments: [1, 2, 4], [0, 16] as [UInt32])
    func `grays of few bits are read exactly, faxes too`(bits: Int, tile: UInt32) throws {
        let picture = TestImage(width: 37, channels: 1, bits: bits)
        for compression in [1, 5, 8, 32_773] + (bits == 1 ? [2, 3, 4] : []) {
            for photometric in [0, 1] as [UInt16] {
                let image = try Image(
                    data: picture.tiff(
                        Layout(compression: UInt16(compression), tile: tile, photometric: photometric)))
                let expected = photometric == 0 ? picture.planes.map { 1 - $0 } : picture.planes
                #expect(image.bitDepth == .eight && image.warnings == [])
                for (read, sample) in zip(image.colour.elements, expected) { #expect(abs(read - sample) < 1e-6) }
            }
        }
    }

    @Test func `a compression that is not read is refused with the way to undo it`() throws {
        var bytes = try TestImage().tiff()
        let place = try #require(entry(of: 259, in: bytes))
        for compression in [6, 34_661, 34_887, 50_001] {
            bytes.replaceSubrange(place + 8..<place + 10, with: [UInt8(compression & 255), UInt8(compression >> 8)])
            let error = try #require(throws: ImageError.self) { try Image(data: bytes) }
            #expect(error.code == .unsupported && error.reason.contains("tiffcp -c none"), "\(error)")
        }
    }

    @Test(arguments: [
        (Layout(pages: 2, subfileType: 1, subDirectories: 1, isDNG: true), "DNG", "darktable-cli"),
        (Layout(isDNG: true), "DNG", "darktable-cli"),
        (Layout(pages: 2, subfileType: 1, subDirectories: 1, maker: "NIKON CORPORATION"), "NEF", "darktable-cli"),
        (Layout(pages: 2, subfileType: 1, subDirectories: 1, maker: "SONY"), "ARW", "darktable-cli"),
        (Layout(pages: 2, subfileType: 1, subDirectories: 1, maker: "Else"), "sub-directory", "darktable-cli"),
        (Layout(pages: 2, subfileType: 1, subDirectories: 1), "sub-directory", "whole image"),
        (Layout(pages: 3, subfileType: 1), "later page", "whole image"),
    ]) func `a preview is not restored in place of the image`(
        layout: Layout, word: String, remedy: String
    ) throws {
        let bytes = try TestImage().tiff(layout)
        let error = try #require(throws: ImageError.self) { try Image(data: bytes) }
        #expect(error.code == .unsupported && error.reason.contains(word), "\(error)")
        #expect(error.reason.contains(remedy), "\(error)")
    }

    @Test func `a raw file of Canon's is known by its mark`() throws {
        // The mark stands where the first strip would begin: the directory comes behind all pixels.
        var bytes = try TestImage().tiff()
        bytes.replaceSubrange(8..<12, with: Array("CR".utf8) + [2, 0])
        let error = try #require(throws: ImageError.self) { try Image(data: bytes) }
        #expect(error.code == .unsupported && error.reason.contains("CR2"), "\(error)")
    }

    @Test func `a reduced image that is alone is read, and a whole one with smaller versions`() throws {
        let picture = TestImage()
        for layout in [
            Layout(subfileType: 1), Layout(pages: 2, subDirectories: 1), Layout(subfileType: 1, maker: "NIKON"),
        ] {
            #expect(try Image(data: picture.tiff(layout)).colour.elements == picture.planes)
        }
    }

    @Test func `an image beyond the limits is refused on its header`() throws {
        let bytes = try TestImage().tiff()
        for limits in [ImageLimits(maximumSide: 20), ImageLimits(maximumPixels: 272)] {
            let error = #expect(throws: ImageError.self) { try Image(data: bytes, limits: limits) }
            #expect(error?.code == .tooLarge && error?.reason.contains("21 x 13") == true)
        }
    }

    @Test func `huge tiles of a small image are refused`() throws {
        var bytes = try TestImage().tiff(Layout(tile: 16))
        for tag in [322, 323] {
            let place = try #require(entry(of: tag, in: bytes))
            bytes.replaceSubrange(place + 2..<place + 4, with: [4, 0])
            bytes.replaceSubrange(place + 8..<place + 12, with: [0xF0, 0xFF, 0xFF, 0x7F])
        }
        let error = #expect(throws: ImageError.self) { try Image(data: bytes) }
        #expect([.tooLarge, .corrupt].contains(error?.code))
    }

    @Test(arguments: [0, 16] as [UInt32]) func `a file cut off anywhere is no image`(tile: UInt32) throws {
        let bytes = try TestImage().tiff(Layout(tile: tile))
        for count in stride(from: 4, to: bytes.count, by: 13) {
            let error = #expect(throws: ImageError.self) { try Image(data: Array(bytes.prefix(count))) }
            #expect(error?.code == .truncated || error?.code == .corrupt, "cut at \(count)")
        }
    }

    @Test(arguments: [1, 5, 8, 7] as [UInt16]) func `any changed byte gives an image or a typed error`(
        compression: UInt16
    ) throws {
        let bytes = try TestImage(width: 32, height: 32).tiff(
            Layout(compression: compression, rowsPerStrip: 16, profile: colourProfile("RGB ", count: 130)))
        var random = RandomStream(seed: 5, name: "damage")
        for position in bytes.indices where bytes.count < 2500 || position % 3 == 0 {
            var changed = bytes
            changed[position] ^= UInt8(1 + random.index(below: 255))
            expectImageOrTypedError(changed)
        }
    }

    /// Where the entry of a tag is in the first directory of a little-endian file.
    private func entry(of tag: Int, in bytes: [UInt8]) -> Int? {
        func number(_ offset: Int, _ count: Int) -> Int {
            bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let directory = number(4, 4)
        return (0..<number(directory, 2)).map { directory + 2 + 12 * $0 }.first { number($0, 2) == tag }
    }
}

@Suite struct ImageHeaderTests {
    @Test func `every format tells its size before it is decoded`() throws {
        let picture = TestImage(width: 33, height: 17)
        let files: [(ImageFormat, [UInt8])] = [
            (.png, try Image(data: picture.tiff()).pngData()),
            (.jpeg, try picture.jpeg(profile: colourProfile("RGB ", count: 100_000))),
            (.jpeg, try picture.jpeg(isProgressive: true)),
            (.tiff, try picture.tiff()), (.tiff, try picture.tiff(.init(mode: "wb", tile: 16))),
            (.tiff, try picture.tiff(.init(mode: "w8"))),
        ]
        for (format, bytes) in files {
            let header = ImageHeader { (offset, count) in Array(bytes.dropFirst(offset).prefix(count)) }
            #expect(header?.format == format && header?.width == 33 && header?.height == 17)
            for count in 0..<min(bytes.count, 300) {
                // A cut file has a header or none, and never another one.
                let short = bytes.prefix(count)
                let header = ImageHeader { (offset, count) in Array(short.dropFirst(offset).prefix(count)) }
                #expect(header == nil || header?.width == 33)
            }
        }
    }

    @Test func `other files have none`() {
        for text in ["", "P", "GIF89a", "II", "Dear diary"] {
            #expect(ImageFormat(signature: text.utf8) == nil)
            #expect(ImageHeader { (offset, count) in Array(text.utf8.dropFirst(offset).prefix(count)) } == nil)
        }
    }
}
