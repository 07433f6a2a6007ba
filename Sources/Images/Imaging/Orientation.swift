import ImageFormats
import Tensors

/// How the stored rows and columns of an image lie in the scene, numbered as in EXIF and TIFF.
enum Orientation: Int {
    case upright = 1
    case mirrored, upsideDown, flipped, transposed, turnedLeft, transversed, turnedRight

    /// The orientation in an EXIF block, which is a small TIFF file, nil if there is none.
    init?(exif block: [UInt8]) {
        // What goes before the block in a JPEG file is left in place by some writers of other formats.
        let prefix = Array("Exif\0\0".utf8)
        let bytes = block.starts(with: prefix) ? Array(block.dropFirst(prefix.count)) : block
        guard bytes.count >= 8, ImageFormat(signature: bytes) == .tiff else { return nil }
        let isLittle = bytes[0] == 0x49
        func number(_ offset: Int, _ count: Int) -> Int? {
            offset >= 0 && offset <= bytes.count - count ? bytes.number(at: offset, count, isLittle: isLittle) : nil
        }
        guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
        for entry in 0..<count {
            let start = directory + 2 + 12 * entry
            guard let tag = number(start, 2), let type = number(start + 2, 2) else { return nil }
            // A short; some write a long.
            guard tag == 0x0112, let size = [3: 2, 4: 4][type] else { continue }
            guard let value = number(start + 8, size) else { return nil }
            self.init(rawValue: value)
            return
        }
        return nil
    }

    /// Whether rows become columns.
    var swapsAxes: Bool { rawValue >= 5 }

    /// Planes `[..., height, width]` as they lie in the scene.
    func apply(_ planes: Tensor<Float>) -> Tensor<Float> {
        if self == .upright { return planes }
        let (height, width) = (planes.shape[planes.shape.count - 2], planes.shape[planes.shape.count - 1])
        let (newHeight, newWidth) = swapsAxes ? (width, height) : (height, width)
        // The place of the new origin in the old plane, and what a step along a new row or column is there.
        let (right, below) = (width - 1, (height - 1) * width)
        let (origin, column, row) =
            switch self {
            case .upright: (0, 1, width)
            case .mirrored: (right, -1, width)
            case .upsideDown: (right + below, -1, -width)
            case .flipped: (below, 1, -width)
            case .transposed: (0, width, 1)
            case .turnedLeft: (below, -width, 1)
            case .transversed: (right + below, -width, -1)
            case .turnedRight: (right, width, -1)
            }
        var result = Tensor<Float>(shape: Array(planes.shape.dropLast(2)) + [newHeight, newWidth])
        planes.withUnsafeBufferPointer { source in
            result.withUnsafeMutableBufferPointer { target in
                for plane in stride(from: 0, to: source.count, by: height * width) {
                    for y in 0..<newHeight {
                        for x in 0..<newWidth {
                            target[plane + y * newWidth + x] = source[plane + origin + y * row + x * column]
                        }
                    }
                }
            }
        }
        return result
    }
}

extension Image {
    /// An image of decoded planes, set upright.
    init(
        colour: Tensor<Float>, alpha: Tensor<Float>?, bitDepth: BitDepth, metadata: ImageMetadata,
        orientation: Orientation, warnings: [String]
    ) {
        var metadata = metadata
        if orientation.swapsAxes, let density = metadata.pixelDensity {
            metadata.pixelDensity = ImageMetadata.PixelDensity(
                horizontal: density.vertical, vertical: density.horizontal, isPerMetre: density.isPerMetre)
        }
        self.init(
            colour: orientation.apply(colour), alpha: alpha.map { orientation.apply($0) }, bitDepth: bitDepth,
            metadata: metadata)
        self.warnings = warnings
    }
}
