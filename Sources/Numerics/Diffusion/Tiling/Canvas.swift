public import Tensors

/// The area that a network works on: an image, continued by reflection at the right and the bottom where it is smaller
/// than the network, or all around as if it were one of many equal tiles.
public struct Canvas: Sendable, Equatable {
    /// Rows of the image.
    public let imageHeight: Int
    /// Columns of the image.
    public let imageWidth: Int
    /// Rows of the canvas.
    public let height: Int
    /// Columns of the canvas.
    public let width: Int
    /// The rows and columns before the image, where it is continued around its border; nil where it is reflected.
    private let margin: Int?

    /// The canvas of an image of at least one pixel.
    /// - Parameter least: the rows and columns that it has at least.
    public init(imageHeight: Int, imageWidth: Int, least: Int) {
        self.init(
            imageHeight: imageHeight, imageWidth: imageWidth, height: max(imageHeight, least),
            width: max(imageWidth, least))
    }

    /// The canvas of these rows and columns, at least as many as the image's, of which there is one at least.
    /// - Parameter margin: the rows above and columns to the left of the image that show its other end, as the canvas does
    ///   after the image too; nil for reflection.
    init(imageHeight: Int, imageWidth: Int, height: Int, width: Int, margin: Int? = nil) {
        precondition(
            imageHeight > 0 && imageWidth > 0 && height >= imageHeight && width >= imageWidth,
            "an image of \(imageHeight) x \(imageWidth) on a canvas of \(height) x \(width)")
        self.imageHeight = imageHeight
        self.imageWidth = imageWidth
        self.height = height
        self.width = width
        self.margin = margin
    }

    /// The image on the canvas.
    public func image(of canvas: Tensor<Float>) -> Tensor<Float> {
        if height == imageHeight && width == imageWidth { return canvas }
        return canvas.window(top: margin ?? 0, left: margin ?? 0, height: imageHeight, width: imageWidth)
    }

    /// The canvas that shows an image and, beyond it, its continuation, as often as it takes.
    public func filled(with image: Tensor<Float>) -> Tensor<Float> {
        if height == imageHeight && width == imageWidth { return image }
        let rows = (0..<height).map { place($0, imageHeight) }
        let columns = (0..<width).map { place($0, imageWidth) }
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

    /// The image's row or column that a row or column of the canvas shows.
    private func place(_ index: Int, _ count: Int) -> Int {
        guard let margin else { return Self.reflected(index, count) }
        return ((index - margin) % count + count) % count
    }

    /// The index within `0..<count` that stands at `index`: forwards, backwards and so on, the edges not repeated.
    private static func reflected(_ index: Int, _ count: Int) -> Int {
        guard count > 1 else { return 0 }
        let position = index % (2 * count - 2)
        return position < count ? position : 2 * count - 2 - position
    }
}
