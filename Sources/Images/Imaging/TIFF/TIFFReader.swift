import CTIFF
import ImageFormats
import Tensors

/// Owns a libtiff reader; frees it with itself. Must not outlive the bytes it reads.
private struct TIFFReader: ~Copyable {
    private let handle: OpaquePointer
    private let name: String

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: ImageLimits, name: String) throws(ImageError) {
        // No strip, tile or table of a sound image needs more than all its samples, or all of its file.
        let bytesPerPixel = 16
        let memory = min(max(limits.maximumPixels, 1 << 16), 1 << 40) * bytesPerPixel
        guard let start = bytes.baseAddress,
            let handle = dkp_tiff_reader_create(start, bytes.count, max(memory, bytes.count))
        else { throw .noMemory(name) }
        self.handle = handle
        self.name = name
    }

    deinit { dkp_tiff_reader_destroy(handle) }

    func readLayout() throws(ImageError) -> dkp_tiff_layout {
        var layout = dkp_tiff_layout()
        try check(dkp_tiff_reader_read_layout(handle, &layout))
        return layout
    }

    func readPixels(_ layout: dkp_tiff_layout) throws(ImageError) -> (colour: Tensor<Float>, alpha: Tensor<Float>?) {
        let (height, width) = (Int(layout.height), Int(layout.width))
        let hasAlpha = layout.has_alpha != 0
        var colour = Tensor<Float>(shape: [Int(layout.channels), height, width])
        var alpha = Tensor<Float>(shape: hasAlpha ? [height, width] : [0])
        let status = colour.withUnsafeMutableBufferPointer { colour in
            alpha.withUnsafeMutableBufferPointer { alpha in
                colour.baseAddress.map { dkp_tiff_reader_read_pixels(handle, $0, alpha.baseAddress) }
            }
        }
        try check(status ?? .DKP_TIFF_OUT_OF_MEMORY)
        return (colour, hasAlpha ? alpha : nil)
    }

    func readMetadata(_ layout: dkp_tiff_layout, limits: ImageLimits) -> (ImageMetadata, warnings: [String]) {
        var metadata = ImageMetadata()
        var warnings: [String] = []
        if layout.has_more_pages != 0 { warnings.append("the file has several pages; the first is taken") }
        var count = 0
        if let profile = dkp_tiff_reader_profile(handle, &count) {
            let bytes = Array(UnsafeBufferPointer(start: profile, count: count))
            if let warning = metadata.take(
                profile: bytes, channels: Int(layout.channels), limit: limits.maximumChunkBytes)
            {
                warnings.append(warning)
            }
        }
        if layout.density_unit > 0 {
            let units = [2: ImageMetadata.metresPerInch, 3: ImageMetadata.metresPerCentimetre]
            metadata.take(
                horizontal: Double(layout.horizontal_density), vertical: Double(layout.vertical_density),
                metresPerUnit: units[Int(layout.density_unit)])
        }
        warnings += (0..<dkp_tiff_reader_warning_count(handle)).map {
            String(cString: dkp_tiff_reader_warning(handle, $0))
        }
        return (metadata, warnings)
    }

    private func check(_ status: dkp_tiff_status) throws(ImageError) {
        let message = String(cString: dkp_tiff_reader_message(handle))
        switch status {
        case .DKP_TIFF_OK: return
        case .DKP_TIFF_TRUNCATED: throw .truncated(name, .tiff, message)
        case .DKP_TIFF_CORRUPT: throw .corrupt(name, .tiff, message.isEmpty ? "its tags make no image" : message)
        case .DKP_TIFF_UNSUPPORTED:
            let remedy = String(cString: dkp_tiff_reader_remedy(handle))
            throw .unsupported(name, .tiff, message, remedy: remedy.isEmpty ? nil : remedy)
        case .DKP_TIFF_TOO_LARGE: throw .tooLarge(name, message, limit: "what the image needs", setting: nil)
        case .DKP_TIFF_OUT_OF_MEMORY: throw .noMemory(name)
        @unknown default: throw .corrupt(name, .tiff, "status \(status.rawValue) of the decoder")
        }
    }
}

extension Image {
    /// Decodes the first page of a TIFF file held in memory: gray or RGB of 8 or 16 bits, with or without alpha, or gray
    /// of 1, 2 or 4 bits, in strips or tiles; set upright.
    init(tiff bytes: [UInt8], name: String, limits: ImageLimits) throws(ImageError) {
        self = try bytes.withUnsafeBufferPointer { (buffer) throws(ImageError) -> Image in
            let reader = try TIFFReader(buffer, limits: limits, name: name)
            let layout = try reader.readLayout()
            try limits.check(width: Int(layout.width), height: Int(layout.height), name: name)
            let (colour, alpha) = try reader.readPixels(layout)
            let (metadata, warnings) = reader.readMetadata(layout, limits: limits)
            return Image(
                colour: colour, alpha: alpha, bitDepth: layout.bit_depth == 16 ? .sixteen : .eight, metadata: metadata,
                orientation: Orientation(rawValue: Int(layout.orientation)) ?? .upright, warnings: warnings)
        }
    }
}
