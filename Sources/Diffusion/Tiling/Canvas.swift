public import Tensors

/// The area that a network works on: an image, continued by reflection at the right and the bottom where it is smaller
/// than the network.
public struct Canvas: Sendable, Equatable {
    /// Rows of the image.
    public let imageHeight: Int
    /// Columns of the image.
    public let imageWidth: Int
    /// Rows of the canvas.
    public let height: Int
    /// Columns of the canvas.
    public let width: Int

    /// The canvas of an image of at least one pixel.
    /// - Parameter least: the rows and columns that it has at least.
    public init(imageHeight: Int, imageWidth: Int, least: Int) {
        self.init(
            imageHeight: imageHeight, imageWidth: imageWidth, height: max(imageHeight, least),
            width: max(imageWidth, least))
    }

    /// The canvas of these rows and columns, at least as many as the image's, of which there is one at least.
    init(imageHeight: Int, imageWidth: Int, height: Int, width: Int) {
        precondition(
            imageHeight > 0 && imageWidth > 0 && height >= imageHeight && width >= imageWidth,
            "an image of \(imageHeight) x \(imageWidth) on a canvas of \(height) x \(width)")
        self.imageHeight = imageHeight
        self.imageWidth = imageWidth
        self.height = height
        self.width = width
    }

    /// The image on the canvas: its part at the top left.
    public func image(of canvas: Tensor<Float>) -> Tensor<Float> {
        if height == imageHeight && width == imageWidth { return canvas }
        return canvas.window(top: 0, left: 0, height: imageHeight, width: imageWidth)
    }

    /// The canvas that shows an image and, beyond it, its reflection, as often as it takes.
    public func filled(with image: Tensor<Float>) -> Tensor<Float> {
        if height == imageHeight && width == imageWidth { return image }
        let rows = (0..<height).map { Self.reflected($0, imageHeight) }
        let columns = (0..<width).map { Self.reflected($0, imageWidth) }
        var result = Tensor<Float>(shape: [image.shape[0], height, width])
        result.withUnsafeMutableBufferPointer { target in
            image.withUnsafeBufferPointer { source in
                var index = 0
                for channel in 0..<image.shape[0] {
                    for row in rows {
                        let start = (channel * imageHeight + row) * imageWidth
                        for column in columns {
                            target[index] = source[start + column]
                            index += 1
                        }
                    }
                }
            }
        }
        return result
    }

    /// The index within `0..<count` that stands at `index`: forwards, backwards and so on, the edges not repeated.
    private static func reflected(_ index: Int, _ count: Int) -> Int {
        guard count > 1 else { return 0 }
        let position = index % (2 * count - 2)
        return position < count ? position : 2 * count - 2 - position
    }
}
