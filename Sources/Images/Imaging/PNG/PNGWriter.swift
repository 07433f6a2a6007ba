import CPNG
import Files
import SystemPackage
import Tensors

/// Owns the encoder's output; frees it with itself.
private struct PNGOutput: ~Copyable {
    var output = dkp_png_output()

    deinit {
        var output = output
        dkp_png_output_free(&output)
    }

    var bytes: [UInt8] { Array(UnsafeBufferPointer(start: output.bytes, count: output.count)) }

    var message: String {
        withUnsafeBytes(of: output.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension Image {
    /// The image as a PNG file: gray or RGB, with alpha where there is an alpha plane, of ``bitDepth`` bits, with the
    /// metadata. Samples are clamped to [0, 1] and rounded to the nearest level.
    ///
    /// - Throws: ``ImageError`` with code `tooLarge` where memory is short, `unsupported` where libpng refuses,
    ///   `cannotWrite` for samples that are not finite, which no level stands for.
    public func pngData() throws(ImageError) -> [UInt8] {
        let name = "PNG data"
        guard colour.isFinite, alpha?.isFinite ?? true else {
            throw ImageError(.cannotWrite, name, "the image holds numbers that are not finite; nothing is written")
        }
        guard width <= 0x7FFF_FFFF, height <= 0x7FFF_FFFF else {
            throw .tooLarge(
                name, "the image is \(width) x \(height) pixels", limit: "the format, 2^31 - 1 a side", setting: nil)
        }
        var layout = dkp_png_layout(
            width: UInt32(width), height: UInt32(height), channels: Int32(channels + (alpha == nil ? 0 : 1)),
            bit_depth: Int32(bitDepth.rawValue))
        let chunks = metadata.chunks
        // One block for all contents, so that one pointer is enough.
        let contents = chunks.flatMap(\.content)
        var result = PNGOutput()
        let opaque = Tensor<Float>(shape: [0])
        let status: dkp_png_status? = contents.withUnsafeBufferPointer { contents in
            var offset = 0
            let records = chunks.map { chunk in
                let letters = chunk.name.utf8.map(CChar.init(bitPattern:))
                defer { offset += chunk.content.count }
                return dkp_png_chunk(
                    name: (letters[0], letters[1], letters[2], letters[3], 0),
                    bytes: contents.baseAddress.map { $0 + offset }, count: chunk.content.count)
            }
            return colour.withUnsafeBufferPointer { colour in
                (alpha ?? opaque).withUnsafeBufferPointer { alpha in
                    colour.baseAddress.map {
                        dkp_png_encode(&layout, $0, alpha.baseAddress, records, records.count, &result.output)
                    }
                }
            }
        }
        switch status {
        case .DKP_PNG_OK: return result.bytes
        case .DKP_PNG_OUT_OF_MEMORY, nil: throw .noMemory(name)
        default: throw ImageError(.unsupported, name, "libpng cannot write it: \(result.message)")
        }
    }

    /// Writes the image as a PNG file, see ``pngData()``. The file appears whole or not at all, and is on disk when this
    /// returns.
    ///
    /// - Throws: ``ImageError`` naming the path.
    public func writePNG(to path: String) throws(ImageError) {
        let bytes = try pngData()
        do throws(FileError) {
            try DurableFile.write(bytes, to: FilePath(path))
        } catch {
            throw ImageError(.cannotWrite, path, error.reason)
        }
    }
}
