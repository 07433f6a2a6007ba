public import Tensors

/// A network that predicts the noise in a noisy image.
public protocol NoisePredictor: AnyObject {
    /// The number of image channels.
    var channels: Int { get }
    /// Whether a prediction carries the interpolation of the variance (learned-range sigma).
    var predictsVariance: Bool { get }
    /// The number of classes of a class-conditional network; nil for an unconditional one.
    var classCount: Int? { get }
    /// Predicts for a noisy image `[channels, height, width]` at a timestep of the training schedule (may be fractional
    /// for none; 0 to steps - 1), with a class label where the network wants one.
    /// - Returns: `[channels, height, width]`, or `[2 channels, height, width]`, whose second half is the variance's
    ///   interpolation.
    func predict(_ image: Tensor<Float>, timestep: Double, label: Int?) throws -> Tensor<Float>
}
