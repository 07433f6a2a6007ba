import CJPEG
import ImageFormats
import Tensors

/// Owns a libjpeg reader; frees it with itself. Must not outlive the bytes it reads.
private struct JPEGReader: ~Copyable {
    private let handle: OpaquePointer
    private let name: String

    init(_ bytes: UnsafeBufferPointer<UInt8>, name: String) throws(ImageError) {
        guard let start = bytes.baseAddress, let handle = dkp_jpeg_reader_create(start, bytes.count) else {
            throw .noMemory(name)
        }
        self.handle = handle
        self.name = name
    }

    deinit { dkp_jpeg_reader_destroy(handle) }

    func readLayout() throws(ImageError) -> dkp_jpeg_layout {
        var layout = dkp_jpeg_layout()
        try check(dkp_jpeg_reader_read_layout(handle, &layout))
        return layout
    }

    func readPixels(_ layout: dkp_jpeg_layout) throws(ImageError) -> Tensor<Float> {
        var colour = Tensor<Float>(shape: [Int(layout.channels), Int(layout.height), Int(layout.width)])
        let status = colour.withUnsafeMutableBufferPointer { colour in
            colour.baseAddress.map { dkp_jpeg_reader_read_pixels(handle, $0) }
        }
        try check(status ?? .DKP_JPEG_OUT_OF_MEMORY)
        return colour
    }

    func readMetadata(_ layout: dkp_jpeg_layout, limits: ImageLimits) -> (ImageMetadata, warnings: [String]) {
        var metadata = ImageMetadata()
        var warnings: [String] = []
        var count = 0
        if let profile = dkp_jpeg_reader_profile(handle, &count) {
            let bytes = Array(UnsafeBufferPointer(start: profile, count: count))
            if let warning = metadata.take(
                profile: bytes, channels: Int(layout.channels), limit: limits.maximumChunkBytes)
            {
                warnings.append(warning)
            }
        }
        if layout.horizontal_density > 0, layout.vertical_density > 0 {
            let units = [1: ImageMetadata.metresPerInch, 2: ImageMetadata.metresPerCentimetre]
            metadata.take(
                horizontal: Double(layout.horizontal_density), vertical: Double(layout.vertical_density),
                metresPerUnit: units[Int(layout.density_unit)])
        }
        return (metadata, warnings)
    }

    /// What the library has warned of up to now.
    var warnings: [String] {
        (0..<dkp_jpeg_reader_warning_count(handle)).map { String(cString: dkp_jpeg_reader_warning(handle, $0)) }
    }

    var orientation: Orientation {
        var count = 0
        guard let exif = dkp_jpeg_reader_exif(handle, &count) else { return .upright }
        return Orientation(exif: Array(UnsafeBufferPointer(start: exif, count: count))) ?? .upright
    }

    private func check(_ status: dkp_jpeg_status) throws(ImageError) {
        let message = String(cString: dkp_jpeg_reader_message(handle))
        switch status {
        case .DKP_JPEG_OK: return
        case .DKP_JPEG_TRUNCATED: throw .truncated(name, .jpeg, "it ends before the image does")
        case .DKP_JPEG_CORRUPT: throw .corrupt(name, .jpeg, message)
        case .DKP_JPEG_UNSUPPORTED: throw .unsupported(name, .jpeg, message)
        case .DKP_JPEG_OUT_OF_MEMORY: throw .noMemory(name)
        @unknown default: throw .corrupt(name, .jpeg, "status \(status.rawValue) of the decoder")
        }
    }
}

extension Image {
    /// Decodes a JPEG file held in memory: baseline or progressive, gray or colour, of 8 bits; set upright.
    init(jpeg bytes: [UInt8], name: String, limits: ImageLimits) throws(ImageError) {
        self = try bytes.withUnsafeBufferPointer { (buffer) throws(ImageError) -> Image in
            let reader = try JPEGReader(buffer, name: name)
            let layout = try reader.readLayout()
            try limits.check(width: Int(layout.width), height: Int(layout.height), name: name)
            // With the last row, the library forgets what stood before the first.
            let (metadata, warnings) = reader.readMetadata(layout, limits: limits)
            let orientation = reader.orientation
            let colour = try reader.readPixels(layout)
            return Image(
                colour: colour, alpha: nil, bitDepth: .eight, metadata: metadata, orientation: orientation,
                warnings: warnings + reader.warnings)
        }
    }
}
