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
    private let basis: [Float]
    private let powers: [Float]

    init(
        size: Int, channels: Int = 3, predictsVariance: Bool = false, classCount: Int? = nil, amplitude: Double = 0.05,
        exponent: Double = 1.3
    ) throws {
        self.size = size
        self.channels = channels
        self.predictsVariance = predictsVariance
        self.classCount = classCount
        alphaBars = try NoiseSchedule(DiffusionDescription()).alphaBar
        basis = (0..<size * size).map { index in
            let (frequency, position) = (Double(index / size), Double(index % size))
            let norm = ((frequency == 0 ? 1 : 2) / Double(size)).squareRoot()
            return Float(norm * cos(.pi * frequency * (position + 0.5) / Double(size)))
        }
        powers = (0..<size * size).map { index in
            let (row, column) = (Double(index / size), Double(index % size))
            return Float(amplitude * Double(size * size) / pow(1 + row * row + column * column, exponent))
        }
    }

    /// A picture `[channels, size, size]` of the distribution, in [0, 1] but for rare tails.
    func picture(seed: UInt64) -> Tensor<Float> {
        var stream = RandomStream(seed: seed, name: "smooth picture")
        var planes: [Float] = []
        for _ in 0..<channels {
            let coefficients = powers.map { $0.squareRoot() * Float(stream.normal()) }
            planes += transformed(coefficients, forward: false)
        }
        return Tensor(shape: [channels, size, size], planes.map { min(max(0.5 * ($0 + 1), 0), 1) })
    }

    func predict(_ image: Tensor<Float>, timestep: Double, label _: Int?) throws -> Tensor<Float> {
        let alphaBar = Float(alphaBars[Int(timestep)])
        let pixels = size * size
        let values = image.elements
        var noise: [Float] = []
        for channel in 0..<image.shape[0] {
            var coefficients = transformed(Array(values[channel * pixels..<(channel + 1) * pixels]), forward: true)
            for index in coefficients.indices {
                // What is left of the coefficient when its Wiener estimate has been taken off, as unit noise.
                let fraction = alphaBar * powers[index] / (alphaBar * powers[index] + 1 - alphaBar)
                coefficients[index] *= (1 - fraction) / (1 - alphaBar).squareRoot()
            }
            noise += transformed(coefficients, forward: false)
        }
        let variances = predictsVariance ? noise.map { _ in Float(-0.5) } : []
        return Tensor(shape: [(predictsVariance ? 2 : 1) * image.shape[0], size, size], noise + variances)
    }

    /// The two-dimensional cosine transform, or its inverse.
    private func transformed(_ plane: [Float], forward: Bool) -> [Float] {
        transposedProduct(transposedProduct(plane, forward), forward)
    }

    /// The transform along the rows, transposed.
    private func transposedProduct(_ plane: [Float], _ forward: Bool) -> [Float] {
        var result = [Float](repeating: 0, count: size * size)
        for row in 0..<size {
            for other in 0..<size {
                var sum: Float = 0
                for index in 0..<size {
                    let element = forward ? other * size + index : index * size + other
                    sum += plane[row * size + index] * basis[element]
                }
                result[other * size + row] = sum
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
