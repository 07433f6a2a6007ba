public import Tensors

/// A trained noise predictor as a denoiser D(v, q) of images in [0, 1].
///
/// The network is asked at the training's step whose noise is nearest to q. It sees the image with its other
/// end beyond each border, in overlapping tiles where it is large, and turned by one of eight flips and rotations.
public final class Denoiser {
    /// The image's rows.
    public let height: Int
    /// The image's columns.
    public let width: Int

    private let predictor: TiledPredictor
    private let label: Int?
    private let canvas: Canvas
    private let schedule: NoiseSchedule
    private let orientations: Int

    /// How much of the image's other end the network sees beyond each border. The model of blur takes the image to go on
    /// there, and so must whoever judges it: a border that ends in nothing comes out with a frame.
    private static let margin = 8

    /// A denoiser of images of one size.
    /// - Parameters:
    ///   - predictor: a network for images of three or however many channels.
    ///   - training: the noise levels that it was trained with.
    ///   - height: the images' rows, at least 1.
    ///   - width: the images' columns, at least 1.
    ///   - multiple: what the rows and columns that the network sees must divide by.
    ///   - largestTile: the most rows and columns that it is given at once, a multiple of that.
    ///   - overlap: the rows and columns that neighbouring tiles have in common at least; below `largestTile`.
    ///   - label: what a class-conditional network is told.
    /// - Throws: ``DiffusionError`` if the training's steps are out of range.
    public init(
        _ predictor: any NoisePredictor, training: DiffusionDescription, height: Int, width: Int, multiple: Int = 1,
        largestTile: Int, overlap: Int = 64, label: Int? = nil
    ) throws(DiffusionError) {
        self.height = height
        self.width = width
        self.label = label
        schedule = try NoiseSchedule(training)
        let overlap = min(overlap, largestTile / 2)
        func tile(_ length: Int) -> Int {
            let padded = length.roundedUp(to: multiple)
            guard padded > largestTile else { return padded }
            let count = (padded - overlap + largestTile - overlap - 1) / (largestTile - overlap)
            return min(largestTile, ((padded + (count - 1) * overlap + count - 1) / count).roundedUp(to: multiple))
        }
        let (rows, columns) = (height + 2 * Self.margin, width + 2 * Self.margin)
        let (tileHeight, tileWidth) = (tile(rows), tile(columns))
        canvas = Canvas(
            imageHeight: height, imageWidth: width, height: rows.roundedUp(to: multiple),
            width: columns.roundedUp(to: multiple), margin: Self.margin)
        self.predictor = TiledPredictor(
            predictor, height: tileHeight, width: tileWidth, overlap: min(overlap, tileHeight - 1, tileWidth - 1))
        // A network is planned for one size of tile.
        orientations = tileHeight == tileWidth ? Orientation.count : Orientation.countWithoutTransposition
    }

    /// The number of tiles that an image is covered with.
    public var tileCount: Int { predictor.tileCount(height: canvas.height, width: canvas.width) }

    /// D(v, q): the image that is expected given a noisy one, in [0, 1].
    /// - Parameters:
    ///   - image: v, `[channels, height, width]`, white being 1.
    ///   - standardDeviation: q, the standard deviation of its noise in the same units.
    ///   - orientation: which of the flips and rotations the network sees; any number of a step will do.
    /// - Throws: what the network throws, and ``DiffusionError`` for an answer of another shape than it promised.
    public func denoise(_ image: Tensor<Float>, standardDeviation: Double, orientation: Int) throws -> Tensor<Float> {
        let step = schedule.step(nearestTo: 2 * standardDeviation)
        let (level, signal) = (Float(schedule.noiseLevel(at: step)), Float(schedule.alphaBar[step].squareRoot()))
        let turn = Orientation(orientation % orientations)
        let scaled = turn.apply(to: canvas.filled(with: image).map { signal * (2 * $0 - 1) })
        let prediction = try NoisePrediction(of: scaled, at: step, by: predictor, label: label)
        let noise = canvas.image(of: turn.undo(prediction.noise))
        return combine(image, noise) { min(max($0 - 0.5 * level * $1, 0), 1) }
    }
}

extension NoiseSchedule {
    /// The step whose noise level is nearest to the given one.
    func step(nearestTo level: Double) -> Int {
        (0..<count).min { abs(noiseLevel(at: $0) - level) < abs(noiseLevel(at: $1) - level) } ?? 0
    }
}

extension Int {
    fileprivate func roundedUp(to multiple: Int) -> Int { (self + multiple - 1) / multiple * multiple }
}
