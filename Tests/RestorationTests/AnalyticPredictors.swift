import Diffusion
import Foundation
import Restoration
import Tensors

/// A network that knows nothing but how bright pixels are: the exact predictor for independent normal pixels, which
/// tells nothing of how they hang together.
final class IgnorantPredictor: NoisePredictor {
    let channels: Int
    let predictsVariance = false
    let classCount: Int? = nil
    private let alphaBars: [Double]
    /// Of a pixel, where black is -1 and white is 1.
    private static let variance = 0.04

    init(channels: Int = 3) throws {
        self.channels = channels
        alphaBars = try NoiseSchedule(DiffusionDescription()).alphaBar
    }

    func predict(_ image: Tensor<Float>, timestep: Double, label _: Int?) throws -> Tensor<Float> {
        let alphaBar = alphaBars[Int(timestep)]
        let fraction = alphaBar * Self.variance / (alphaBar * Self.variance + 1 - alphaBar)
        let factor = Float((1 - fraction) / (1 - alphaBar).squareRoot())
        return image.map { factor * $0 }
    }
}

/// The exact predictor for smooth random pictures: cosine coefficients that are independent and normal, of a power that
/// falls with frequency as that of photographs does.
final class SmoothPicturePredictor: NoisePredictor {
    let channels: Int
    let predictsVariance: Bool
    let classCount: Int?
    private let alphaBars: [Double]
    private let size: Int
    private let amplitude: Double
    private let exponent: Double

    init(
        size: Int, channels: Int = 3, predictsVariance: Bool = false, classCount: Int? = nil, amplitude: Double = 0.05,
        exponent: Double = 1.3
    ) throws {
        self.size = size
        self.channels = channels
        self.predictsVariance = predictsVariance
        self.classCount = classCount
        self.amplitude = amplitude
        self.exponent = exponent
        alphaBars = try NoiseSchedule(DiffusionDescription()).alphaBar
    }

    /// A picture `[channels, size, size]` of the distribution, in [0, 1] but for rare tails.
    func picture(seed: UInt64) -> Tensor<Float> {
        var stream = RandomStream(seed: seed, name: "smooth picture")
        let transform = CosineTransform(height: size, width: size)
        let powers = powers(height: size, width: size)
        var planes: [Float] = []
        for _ in 0..<channels {
            planes += transform.inverse(powers.map { $0.squareRoot() * Float(stream.normal()) })
        }
        return Tensor(shape: [channels, size, size], planes.map { min(max(0.5 * ($0 + 1), 0), 1) })
    }

    func predict(_ image: Tensor<Float>, timestep: Double, label _: Int?) throws -> Tensor<Float> {
        let alphaBar = Float(alphaBars[Int(timestep)])
        let (height, width) = (image.shape[1], image.shape[2])
        let transform = CosineTransform(height: height, width: width)
        let powers = powers(height: height, width: width)
        let pixels = height * width
        let values = image.elements
        var noise: [Float] = []
        for channel in 0..<image.shape[0] {
            var coefficients = transform.forward(Array(values[channel * pixels..<(channel + 1) * pixels]))
            for index in coefficients.indices {
                // What is left of the coefficient when its Wiener estimate has been taken off, as unit noise.
                let fraction = alphaBar * powers[index] / (alphaBar * powers[index] + 1 - alphaBar)
                coefficients[index] *= (1 - fraction) / (1 - alphaBar).squareRoot()
            }
            noise += transform.inverse(coefficients)
        }
        let variances = predictsVariance ? noise.map { _ in Float(-0.5) } : []
        return Tensor(shape: [(predictsVariance ? 2 : 1) * image.shape[0], height, width], noise + variances)
    }

    /// The coefficients' variances; frequencies are counted in periods of `size` pixels, so that pictures of any size are of
    /// one kind.
    private func powers(height: Int, width: Int) -> [Float] {
        (0..<height * width).map { index in
            let row = Double(index / width) * Double(size) / Double(height)
            let column = Double(index % width) * Double(size) / Double(width)
            return Float(amplitude * Double(size * size) / pow(1 + row * row + column * column, exponent))
        }
    }
}

/// The orthonormal cosine transform of planes of one size.
private struct CosineTransform {
    private let height: Int
    private let width: Int
    private let rows: [Float]
    private let columns: [Float]

    init(height: Int, width: Int) {
        self.height = height
        self.width = width
        rows = Self.basis(height)
        columns = Self.basis(width)
    }

    private static func basis(_ size: Int) -> [Float] {
        (0..<size * size).map { index in
            let (frequency, position) = (Double(index / size), Double(index % size))
            let norm = ((frequency == 0 ? 1 : 2) / Double(size)).squareRoot()
            return Float(norm * cos(.pi * frequency * (position + 0.5) / Double(size)))
        }
    }

    func forward(_ plane: [Float]) -> [Float] {
        let transposed = Self.transposedProduct(plane, height, width, columns, forward: true)
        return Self.transposedProduct(transposed, width, height, rows, forward: true)
    }

    func inverse(_ coefficients: [Float]) -> [Float] {
        let transposed = Self.transposedProduct(coefficients, height, width, columns, forward: false)
        return Self.transposedProduct(transposed, width, height, rows, forward: false)
    }

    /// The transform along the rows, transposed.
    private static func transposedProduct(
        _ plane: [Float], _ height: Int, _ width: Int, _ basis: [Float], forward: Bool
    ) -> [Float] {
        var result = [Float](repeating: 0, count: height * width)
        for row in 0..<height {
            for other in 0..<width {
                var sum: Float = 0
                for index in 0..<width {
                    let element = forward ? other * width + index : index * width + other
                    sum += plane[row * width + index] * basis[element]
                }
                result[other * height + row] = sum
            }
        }
        return result
    }
}

/// A model around a predictor.
func model(_ predictor: any NoisePredictor, size: Int, sha256: String = "5eed") -> DiffusionModel {
    DiffusionModel(
        predictor: predictor, description: DiffusionDescription(), imageSize: size, name: "analytic.h5",
        sha256: sha256)
}
