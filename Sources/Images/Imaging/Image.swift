public import Tensors

/// A picture: colour planes of encoded samples in [0, 1], perhaps an alpha plane, and what is known about them.
public struct Image: Sendable, Equatable {
    /// Bits of a sample in a written file.
    public enum BitDepth: Int, Sendable, CaseIterable {
        /// 256 levels.
        case eight = 8
        /// 65,536 levels.
        case sixteen = 16

        /// The highest level, 255 or 65,535, which stands for 1.
        public var highestLevel: Int { (1 << rawValue) - 1 }
    }

    /// Samples `[channels, height, width]`, nominally in [0, 1]; one channel is gray, three are red, green and blue.
    public let colour: Tensor<Float>
    /// Opacity `[height, width]` in [0, 1], straight (colours are not multiplied by it), or nil for an opaque image.
    public let alpha: Tensor<Float>?
    /// The depth to write with; inputs of less than eight bits are written with eight.
    public var bitDepth: BitDepth
    /// Colour space and density, carried over from an input.
    public var metadata: ImageMetadata
    /// What was odd about the file that the image was read from, in the decoder's words; empty otherwise.
    public var warnings: [String] = []

    /// An image of the given planes: colour `[1 or 3, height, width]`, alpha `[height, width]`.
    public init(
        colour: Tensor<Float>, alpha: Tensor<Float>? = nil, bitDepth: BitDepth = .eight,
        metadata: ImageMetadata = ImageMetadata()
    ) {
        precondition(
            colour.shape.count == 3 && (colour.shape[0] == 1 || colour.shape[0] == 3) && colour.count > 0,
            "an image has planes [1 or 3, height, width], not \(colour.shape)")
        precondition(
            alpha.map { $0.shape == Array(colour.shape.dropFirst()) } ?? true,
            "alpha \(alpha?.shape ?? []) does not cover an image of shape \(colour.shape)")
        self.colour = colour
        self.alpha = alpha
        self.bitDepth = bitDepth
        self.metadata = metadata
    }

    /// Pixels in a row.
    public var width: Int { colour.shape[2] }
    /// Pixels in a column.
    public var height: Int { colour.shape[1] }
    /// Colour channels, alpha not counted: 1 or 3.
    public var channels: Int { colour.shape[0] }
}
