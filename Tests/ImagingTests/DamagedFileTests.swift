import Foundation
import Imaging
import Tensors
import Testing

@Suite struct DamagedFileTests {
    /// A compressed image with all filters in use, as the writer makes it.
    static let sound: [UInt8] = {
        var random = RandomStream(seed: 1, name: "damage")
        let values = (0..<3 * 40 * 50).map { Float($0 % 50) / 60 + Float(random.uniform()) / 10 }
        var image = Image(colour: Tensor(shape: [3, 40, 50], values), bitDepth: .sixteen)
        image.metadata.gamma = 45_455
        return (try? image.pngData()) ?? []
    }()

    /// The error from reading `bytes` as a file.
    private func error(reading bytes: [UInt8], limits: ImageLimits = .default) throws -> ImageError? {
        var result: ImageError?
        try withScratchFile(bytes) { path in
            result = #expect(throws: ImageError.self) { try Image(file: path, limits: limits) }
            // Every message names the file and says what to do.
            #expect(result?.message.hasPrefix(path) == true)
            #expect(result?.reason.contains(";") == true)
        }
        return result
    }

    @Test func `a missing file is not found`() {
        let error = #expect(throws: ImageError.self) { try Image(file: "/nowhere/at all.png") }
        #expect(error?.code == .notFound)
    }

    @Test func `a directory is not an image`() throws {
        let error = #expect(throws: ImageError.self) {
            try Image(file: FileManager.default.temporaryDirectory.path)
        }
        #expect(error?.code == .notAnImage)
        #expect(error?.reason.contains("directory") == true)
    }

    @Test func `a device is not an image`() {
        let error = #expect(throws: ImageError.self) { try Image(file: "/dev/zero") }
        #expect(error?.code == .notAnImage)
    }

    @Test func `an empty file and other formats are not images`() throws {
        #expect(try error(reading: [])?.code == .notAnImage)
        let text = try error(reading: Array("Dear diary, this is no picture, whatever the name says.\n".utf8))
        #expect(text?.code == .notAnImage)
        #expect(text?.reason.contains("text") == true)
        let animation = try error(reading: Array("GIF89a".utf8) + [UInt8](repeating: 0, count: 100))
        #expect(animation?.code == .notAnImage && animation?.reason.contains("GIF") == true)
        #expect(animation?.reason.contains("PNG, JPEG or TIFF") == true)
    }

    @Test func `an image beyond the limits is refused on its header`() throws {
        let header = RawPNG.bigEndian(100_000) + RawPNG.bigEndian(100_000) + [8, 2, 0, 0, 0]
        let bomb = RawPNG.signature + RawPNG.chunk("IHDR", header) + [UInt8](repeating: 0, count: 100)
        let huge = try error(reading: bomb)
        #expect(huge?.code == .tooLarge)
        #expect(huge?.reason.contains("100000 x 100000") == true)
        #expect(try error(reading: Self.sound, limits: ImageLimits(maximumSide: 49))?.code == .tooLarge)
        #expect(try error(reading: Self.sound, limits: ImageLimits(maximumPixels: 1999))?.code == .tooLarge)
        #expect(try error(reading: Self.sound, limits: ImageLimits(maximumFileBytes: 1000))?.code == .tooLarge)
        let exact = ImageLimits(maximumSide: 50, maximumPixels: 2000, maximumFileBytes: Self.sound.count)
        #expect(try Image(data: Self.sound, limits: exact).width == 50)
        let unlimited = ImageLimits(maximumSide: .max, maximumPixels: .max, maximumFileBytes: .max)
        #expect(try error(reading: bomb, limits: unlimited)?.code == .truncated)
    }

    @Test func `a small file cannot claim many pixels`() throws {
        let header = RawPNG.bigEndian(8000) + RawPNG.bigEndian(8000) + [16, 6, 0, 0, 0]
        let bytes = RawPNG.signature + RawPNG.chunk("IHDR", header) + RawPNG.chunk("IDAT", [0x78, 0x01])
        #expect(try error(reading: bytes)?.code == .truncated)
    }

    @Test func `a file cut off anywhere is truncated`() throws {
        let count = Self.sound.count
        for cut in [1, 7, 8, 20, 33, 40, count / 4, count / 2, 3 * count / 4, count - 12, count - 1] {
            #expect(try error(reading: Array(Self.sound.prefix(cut)))?.code == .truncated, "cut at \(cut)")
        }
    }

    @Test(arguments: [0, 99]) func `a size of zero or beyond the format is corrupt`(width: Int) throws {
        let header = RawPNG.bigEndian(width == 0 ? 0 : 0x8000_0000) + RawPNG.bigEndian(1) + [8, 0, 0, 0, 0]
        let bytes = RawPNG.signature + RawPNG.chunk("IHDR", header) + RawPNG.chunk("IEND", [])
        #expect(try error(reading: bytes)?.code == .corrupt)
    }

    @Test func `a wrong checksum of the pixels is corrupt`() throws {
        var bytes = Self.sound
        bytes[bytes.count - 13] ^= 1
        #expect(try error(reading: bytes)?.code == .corrupt)
    }

    @Test func `impossible headers and missing palettes are corrupt`() throws {
        let impossible = RawPNG(width: 1, height: 1, bitDepth: 4, colourType: 2, samples: [1, 2, 3])
        #expect(try error(reading: impossible.bytes)?.code == .corrupt)
        let unknown = RawPNG(width: 1, height: 1, bitDepth: 8, colourType: 5, samples: [1])
        #expect(try error(reading: unknown.bytes)?.code == .corrupt)
        let bare = RawPNG(width: 1, height: 1, bitDepth: 8, colourType: 3, samples: [0])
        #expect(try error(reading: bare.bytes)?.code == .corrupt)
    }

    @Test func `fewer pixels than the header says are corrupt`() throws {
        var png = RawPNG(width: 20, height: 20, bitDepth: 8, colourType: 0, samples: [Int](repeating: 9, count: 400))
        let pixels = png.bytes.dropFirst(33)
        png.height = 30
        let header = RawPNG.bigEndian(20) + RawPNG.bigEndian(30) + [8, 0, 0, 0, 0]
        #expect(try error(reading: RawPNG.signature + RawPNG.chunk("IHDR", header) + pixels)?.code == .corrupt)
    }

    @Test func `any flipped byte gives an image or a typed error`() {
        var random = RandomStream(seed: 2, name: "damage")
        var images = 0
        for position in 0..<Self.sound.count where position < 200 || position % 37 == 0 {
            var bytes = Self.sound
            bytes[position] ^= UInt8(1 + random.index(below: 255))
            do throws(ImageError) {
                _ = try Image(data: bytes)
                images += 1
            } catch {
                #expect(error.code != .cannotRead)
            }
        }
        // Only damage to an ancillary chunk can leave an image; pixels are under a checksum.
        #expect(images < 40)
    }

    @Test func `pixels damaged under a right checksum give an image or a typed error`() {
        var random = RandomStream(seed: 3, name: "damage")
        // The chunk of pixels: after signature, header (25) and gamma (16) comes its length.
        let start = 8 + 25 + 16
        let end = Self.sound.count - 12 - 4
        for _ in 0..<300 {
            var bytes = Self.sound
            let position = start + 8 + random.index(below: end - start - 8)
            bytes[position] = UInt8(random.index(below: 256))
            bytes.replaceSubrange(
                end..<end + 4, with: RawPNG.bigEndian(Int(RawPNG.checksum(Array(bytes[start + 4..<end])))))
            do throws(ImageError) {
                #expect(try Image(data: bytes).width == 50)
            } catch {
                #expect(error.code == .corrupt || error.code == .truncated)
            }
        }
    }
}
