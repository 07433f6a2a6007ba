public import Tensors

/// A network as a predictor for images of any greater size: overlapping tiles of one size, all at the same noise level,
/// their predictions blended where they overlap.
public final class TiledPredictor: NoisePredictor {
    private let base: any NoisePredictor
    /// Rows of a tile.
    public let height: Int
    /// Columns of a tile.
    public let width: Int
    /// Rows and columns that neighbouring tiles share at least.
    public let overlap: Int

    /// Square tiles.
    /// - Parameters:
    ///   - base: the network.
    ///   - size: the rows and columns that it was trained for.
    ///   - overlap: below the size; nil takes a quarter of it, 64 of 256.
    public convenience init(_ base: any NoisePredictor, size: Int, overlap: Int? = nil) {
        self.init(base, height: size, width: size, overlap: overlap ?? size / 4)
    }

    /// Tiles of any rows and columns that the network takes.
    /// - Parameter overlap: below both.
    public init(_ base: any NoisePredictor, height: Int, width: Int, overlap: Int) {
        self.base = base
        self.height = height
        self.width = width
        self.overlap = overlap
        precondition(
            min(height, width) > overlap && overlap >= 0,
            "tiles of \(height) x \(width) cannot overlap by \(overlap)")
    }

    /// The network's.
    public var channels: Int { base.channels }
    /// The network's.
    public var predictsVariance: Bool { base.predictsVariance }
    /// The network's.
    public var classCount: Int? { base.classCount }

    /// The number of tiles that an image of these rows and columns is covered with.
    public func tileCount(height: Int, width: Int) -> Int {
        TileAxis(length: height, tile: self.height, overlap: overlap).starts.count
            * TileAxis(length: width, tile: self.width, overlap: overlap).starts.count
    }

    /// Predicts for an image of at least a tile's rows and columns.
    /// - Throws: what the network throws, and ``DiffusionError`` for an answer of another shape than it promised.
    public func predict(_ image: Tensor<Float>, timestep: Double, label: Int?) throws -> Tensor<Float> {
        let (rows, columns) = (image.shape[1], image.shape[2])
        if rows == height && columns == width { return try base.predict(image, timestep: timestep, label: label) }
        let vertical = TileAxis(length: rows, tile: height, overlap: overlap)
        let horizontal = TileAxis(length: columns, tile: width, overlap: overlap)
        let channels = image.shape[0] * (predictsVariance ? 2 : 1)
        var result = Tensor<Float>(shape: [channels, rows, columns])
        for (top, rowWeights) in zip(vertical.starts, vertical.weights) {
            for (left, columnWeights) in zip(horizontal.starts, horizontal.weights) {
                let tile = image.window(top: top, left: left, height: height, width: width)
                let answer = try base.predict(tile, timestep: timestep, label: label)
                guard answer.shape == [channels, height, width] else {
                    throw DiffusionError(
                        .unusableNetwork,
                        "the network answered an array of \(answer.shape), expected \([channels, height, width])")
                }
                result.add(answer, top: top, left: left, rowWeights, columnWeights)
            }
        }
        return result
    }
}

extension Tensor where Scalar == Float {
    /// The part of an image `[channels, rows, columns]` that begins at a row and a column within it.
    package func window(top: Int, left: Int, height: Int, width: Int) -> Tensor {
        let (rows, columns) = (shape[1], shape[2])
        precondition(
            top >= 0 && left >= 0 && top + height <= rows && left + width <= columns, "a window lies in its image")
        var result = Tensor(shape: [shape[0], height, width])
        result.withUnsafeMutableBufferPointer { target in
            withUnsafeBufferPointer { source in
                for channel in 0..<shape[0] {
                    for row in 0..<height {
                        let from = (channel * rows + top + row) * columns + left
                        let to = (channel * height + row) * width
                        for column in 0..<width { target[to + column] = source[from + column] }
                    }
                }
            }
        }
        return result
    }

    /// Adds a tile, weighted by its rows' and columns' weights.
    fileprivate mutating func add(
        _ tile: Tensor, top: Int, left: Int, _ rowWeights: [Float], _ columnWeights: [Float]
    ) {
        let (rows, columns) = (shape[1], shape[2])
        let (height, width) = (tile.shape[1], tile.shape[2])
        withUnsafeMutableBufferPointer { target in
            tile.withUnsafeBufferPointer { source in
                for channel in 0..<tile.shape[0] {
                    for row in 0..<height {
                        let to = (channel * rows + top + row) * columns + left
                        let from = (channel * height + row) * width
                        for column in 0..<width {
                            target[to + column] += rowWeights[row] * columnWeights[column] * source[from + column]
                        }
                    }
                }
            }
        }
    }
}
