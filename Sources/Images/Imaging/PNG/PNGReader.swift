import CPNG
import ImageFormats
import Tensors

/// Owns a libpng reader; frees it with itself. Must not outlive the bytes it reads.
private struct PNGReader: ~Copyable {
    private let handle: OpaquePointer
    private let name: String

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: ImageLimits, name: String) throws(ImageError) {
        let side = UInt32(clamping: min(max(limits.maximumSide, 0), 0x7FFF_FFFF))
        var bounds = dkp_png_limits(
            width: side, height: side, chunk_count: 64, chunk_bytes: max(limits.maximumChunkBytes, 1))
        guard let start = bytes.baseAddress, let handle = dkp_png_reader_create(start, bytes.count, &bounds) else {
            throw .noMemory(name)
        }
        self.handle = handle
        self.name = name
    }

    deinit { dkp_png_reader_destroy(handle) }

    func readLayout() throws(ImageError) -> dkp_png_layout {
        var layout = dkp_png_layout()
        try check(dkp_png_reader_read_layout(handle, &layout))
        return layout
    }

    func readPixels(_ layout: dkp_png_layout) throws(ImageError) -> (colour: Tensor<Float>, alpha: Tensor<Float>?) {
        let (height, width) = (Int(layout.height), Int(layout.width))
        var colour = Tensor<Float>(shape: [layout.channels <= 2 ? 1 : 3, height, width])
        var alpha = Tensor<Float>(shape: layout.channels % 2 == 0 ? [height, width] : [0])
        let status = colour.withUnsafeMutableBufferPointer { colour in
            alpha.withUnsafeMutableBufferPointer { alpha in
                colour.baseAddress.map { dkp_png_reader_read_pixels(handle, $0, alpha.baseAddress) }
            }
        }
        try check(status ?? .DKP_PNG_OUT_OF_MEMORY)
        return (colour, layout.channels % 2 == 0 ? alpha : nil)
    }

    func readMetadata() -> (ImageMetadata, Orientation, warnings: [String]) {
        var metadata = ImageMetadata()
        var orientation: Orientation?
        var warnings = (0..<dkp_png_reader_warning_count(handle)).map {
            String(cString: dkp_png_reader_warning(handle, $0))
        }
        for index in 0..<dkp_png_reader_chunk_count(handle) {
            let chunk = dkp_png_reader_chunk(handle, index)
            let letters = [chunk.name.0, chunk.name.1, chunk.name.2, chunk.name.3]
            let name = String(decoding: letters.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let content = Array(UnsafeBufferPointer(start: chunk.bytes, count: chunk.count))
            if name == "eXIf" {
                orientation = orientation ?? Orientation(exif: content)
            } else if let warning = metadata.take(chunk: name, content: content) {
                warnings.append(warning)
            }
        }
        return (metadata, orientation ?? .upright, warnings)
    }

    private func check(_ status: dkp_png_status) throws(ImageError) {
        switch status {
        case .DKP_PNG_OK: return
        case .DKP_PNG_TRUNCATED: throw .truncated(name, .png, "it ends before the image does")
        case .DKP_PNG_CORRUPT: throw .corrupt(name, .png, String(cString: dkp_png_reader_message(handle)))
        case .DKP_PNG_OUT_OF_MEMORY: throw .noMemory(name)
        @unknown default: throw .corrupt(name, .png, "status \(status.rawValue) of the decoder")
        }
    }
}

extension Image {
    /// Decodes a PNG file held in memory: gray, palette or colour of 1 to 16 bits, with or without transparency,
    /// interlaced or not; set upright. Palettes become three colour channels, transparency of any kind an alpha plane.
    init(png bytes: [UInt8], name: String, limits: ImageLimits) throws(ImageError) {
        let header = try PNGHeader(Array(bytes.prefix(PNGHeader.byteCount)), name: name)
        try header.check(limits, fileBytes: bytes.count, name: name)
        self = try bytes.withUnsafeBufferPointer { (buffer) throws(ImageError) -> Image in
            let reader = try PNGReader(buffer, limits: limits, name: name)
            let layout = try reader.readLayout()
            let (colour, alpha) = try reader.readPixels(layout)
            let (metadata, orientation, warnings) = reader.readMetadata()
            return Image(
                colour: colour, alpha: alpha, bitDepth: layout.bit_depth == 16 ? .sixteen : .eight, metadata: metadata,
                orientation: orientation, warnings: warnings)
        }
    }
}
