import Diffusion
import Tensors

/// The exact predictor for images whose pixels are independent and normal: what an ideally trained network would say.
///
/// With x0 ~ N(mean, variance), E[x0 | x_t] is linear in x_t, and the reverse process must give back that distribution.
final class GaussianPredictor: NoisePredictor {
    let channels: Int
    let predictsVariance: Bool
    let classCount: Int?
    private let mean: Double
    private let variance: Double
    private let alphaBars: [Double]
    /// The answer's interpolation of the variance where it is asked for.
    var interpolation: Float = -1

    init(
        mean: Double, variance: Double, schedule: NoiseSchedule, channels: Int = 3, predictsVariance: Bool = false,
        classCount: Int? = nil
    ) {
        self.mean = mean
        self.variance = variance
        self.channels = channels
        self.predictsVariance = predictsVariance
        self.classCount = classCount
        alphaBars = schedule.alphaBar
    }

    func predict(_ image: Tensor<Float>, timestep: Double, label: Int?) throws -> Tensor<Float> {
        let alphaBar = alphaBars[Int(timestep)]
        let gain = alphaBar.squareRoot() * variance / (alphaBar * variance + 1 - alphaBar)
        let noise = image.elements.map { value in
            let clean = mean + gain * (Double(value) - alphaBar.squareRoot() * mean)
            return Float((Double(value) - alphaBar.squareRoot() * clean) / (1 - alphaBar).squareRoot())
        }
        let variances = predictsVariance ? noise.map { _ in interpolation } : []
        return Tensor(
            shape: [(predictsVariance ? 2 : 1) * image.shape[0], image.shape[1], image.shape[2]], noise + variances)
    }
}
