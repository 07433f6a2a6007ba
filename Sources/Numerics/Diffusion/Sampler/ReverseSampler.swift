import Foundation
public import Tensors

/// How a step of the reverse process goes from one noise level to the next lower one.
public enum ReverseSampler: Sendable, Equatable {
    /// Draws from the posterior q(x_{t-1} | x_t, x0) (Ho et al. 2020), with the network's variance where it predicts one.
    case ddpm
    /// Song et al. 2021, Equation 12: eta 0 adds no noise at all, eta 1 as much as the posterior has.
    case ddim(eta: Double)
}

/// What a network said of a noisy image.
public struct NoisePrediction: Sendable, Equatable {
    /// epsilon: the noise, of the image's shape.
    public var noise: Tensor<Float>
    /// The variance's interpolation, -1 for the posterior's to 1 for beta, of the image's shape; nil if the network
    /// predicts none.
    public var variance: Tensor<Float>?

    /// A prediction of these parts.
    public init(noise: Tensor<Float>, variance: Tensor<Float>? = nil) {
        self.noise = noise
        self.variance = variance
    }

    /// Asks a network.
    /// - Throws: what the network throws, and ``DiffusionError`` for an answer of another shape than it promised.
    public init(
        of image: Tensor<Float>, at timestep: Int, by predictor: any NoisePredictor, label: Int? = nil
    ) throws {
        let answer = try predictor.predict(image, timestep: Double(timestep), label: label)
        let parts = predictor.predictsVariance ? 2 : 1
        let expected = [parts * image.shape[0], image.shape[1], image.shape[2]]
        guard answer.shape == expected else {
            throw DiffusionError(
                .unusableNetwork, "the network answered an array of \(answer.shape), expected \(expected)")
        }
        guard parts == 2 else {
            self.init(noise: answer)
            return
        }
        let count = image.count
        self = answer.withUnsafeBufferPointer { values in
            NoisePrediction(
                noise: Tensor(shape: image.shape, values[..<count]),
                variance: Tensor(shape: image.shape, values[count...]))
        }
    }
}

extension NoiseSchedule {
    /// x0 of Equation 21: the clean image that a prediction amounts to, clipped to [-1, 1].
    /// - Parameters:
    ///   - image: x_t.
    ///   - step: which noise level x_t has.
    public func cleanImage(of image: Tensor<Float>, _ prediction: NoisePrediction, at step: Int) -> Tensor<Float> {
        let scale = Float(1 / alphaBar[step].squareRoot())
        let level = Float(noiseLevel(at: step))
        return combine(image, prediction.noise) { min(max(scale * $0 - level * $1, -1), 1) }
    }

    /// x_{t-1} from x_t and the clean image (Equation 22, or DDIM's step).
    ///
    /// - Parameters:
    ///   - clean: x0, or what data consistency made of it.
    ///   - prediction: the network's, for its variance; DDIM derives the noise from x_t and `clean`.
    ///   - noise: draws the standard normal numbers, one a pixel in row-major order; at the last step none is drawn, nor
    ///     where the sampler adds no noise.
    public func previousImage(
        from image: Tensor<Float>, clean: Tensor<Float>, _ prediction: NoisePrediction, at step: Int,
        sampler: ReverseSampler, noise: inout RandomStream
    ) -> Tensor<Float> {
        let (mean, deviation) =
            switch sampler {
            case .ddpm: ancestralStep(image, clean, step)
            case .ddim(let eta): implicitStep(image, clean, step, eta)
            }
        guard step > 0, deviation > 0 || sampler == .ddpm else { return mean }
        var result = mean
        let learned = sampler == .ddpm ? prediction.variance : nil
        let low = log(posteriorVariance[step])
        let high = log(betas[step])
        result.withUnsafeMutableBufferPointer { result in
            for index in 0..<result.count {
                var scale = deviation
                if let learned {
                    let fraction = (Double(learned[index]) + 1) / 2
                    scale = exp(0.5 * (fraction * high + (1 - fraction) * low))
                }
                result[index] += Float(scale * noise.normal())
            }
        }
        return result
    }

    private func ancestralStep(
        _ image: Tensor<Float>, _ clean: Tensor<Float>, _ step: Int
    ) -> (mean: Tensor<Float>, deviation: Double) {
        let (first, second) = (Float(posteriorMeanCoefficient1[step]), Float(posteriorMeanCoefficient2[step]))
        return (combine(image, clean) { second * $0 + first * $1 }, posteriorVariance[step].squareRoot())
    }

    private func implicitStep(
        _ image: Tensor<Float>, _ clean: Tensor<Float>, _ step: Int, _ eta: Double
    ) -> (mean: Tensor<Float>, deviation: Double) {
        let (now, next) = (alphaBar[step], previousAlphaBar[step])
        let deviation = eta * ((1 - next) / (1 - now)).squareRoot() * (1 - now / next).squareRoot()
        let direction = max(1 - next - deviation * deviation, 0).squareRoot() / (1 - now).squareRoot()
        let (ofImage, ofClean) = (Float(direction), Float(next.squareRoot() - direction * now.squareRoot()))
        return (combine(image, clean) { ofImage * $0 + ofClean * $1 }, deviation)
    }
}

/// Applies a function to the elements of two tensors of one shape.
func combine(
    _ first: Tensor<Float>, _ second: Tensor<Float>, _ function: (Float, Float) -> Float
) -> Tensor<Float> {
    precondition(first.shape == second.shape, "images of shapes \(first.shape) and \(second.shape)")
    var result = Tensor<Float>(shape: first.shape)
    result.withUnsafeMutableBufferPointer { result in
        first.withUnsafeBufferPointer { first in
            second.withUnsafeBufferPointer { second in
                for index in 0..<result.count { result[index] = function(first[index], second[index]) }
            }
        }
    }
    return result
}
