import Tensors

/// One of the eight flips and rotations of a plane. A network is not quite symmetric; turning what it sees from step to
/// step keeps its preferences from adding up.
struct Orientation: Equatable {
    let isTransposed: Bool
    let flipsRows: Bool
    let flipsColumns: Bool

    /// The orientation of an index: 0 leaves the plane as it is, 0 to 3 keep its rows rows, 4 to 7 make them columns.
    init(_ index: Int) {
        flipsRows = index & 1 != 0
        flipsColumns = index & 2 != 0
        isTransposed = index & 4 != 0
    }

    static let count = 8
    /// How many of them, from 0, leave a plane's height and width as they are.
    static let countWithoutTransposition = 4

    /// An image `[channels, rows, columns]` turned: flipped first, then transposed.
    func apply(to image: Tensor<Float>) -> Tensor<Float> { turned(image, inverse: false) }

    /// The image that ``apply(to:)`` makes `image` of.
    func undo(_ image: Tensor<Float>) -> Tensor<Float> { turned(image, inverse: true) }

    private func turned(_ image: Tensor<Float>, inverse: Bool) -> Tensor<Float> {
        if self == Orientation(0) { return image }
        let (height, width) = (image.shape[1], image.shape[2])
        // Of the plane that is not turned.
        let (rows, columns) = isTransposed && inverse ? (width, height) : (height, width)
        var result = Tensor<Float>(shape: [image.shape[0]] + (isTransposed ? [width, height] : [height, width]))
        result.withUnsafeMutableBufferPointer { target in
            image.withUnsafeBufferPointer { source in
                var index = 0
                for channel in 0..<image.shape[0] {
                    let start = channel * rows * columns
                    for row in 0..<rows {
                        for column in 0..<columns {
                            let other = place(
                                flipsRows ? rows - 1 - row : row, flipsColumns ? columns - 1 - column : column, rows,
                                columns)
                            if inverse {
                                target[index] = source[start + other]
                            } else {
                                target[start + other] = source[index]
                            }
                            index += 1
                        }
                    }
                }
            }
        }
        return result
    }

    private func place(_ row: Int, _ column: Int, _ rows: Int, _ columns: Int) -> Int {
        isTransposed ? column * rows + row : row * columns + column
    }
}
