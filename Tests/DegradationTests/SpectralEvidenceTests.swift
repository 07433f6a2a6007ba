import Degradation
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct SpectralEvidenceTests {
    /// The definition, with sums over all frequencies in place of fast transforms.
    private static func direct(
        _ observed: Tensor<Float>, _ kernel: Tensor<Float>, scale: Int, spectrum: SpectralEvidence.Spectrum
    ) -> Double {
        let (channels, h, w) = (observed.shape[0], observed.shape[1], observed.shape[2])
        let (height, width, n) = (h * scale, w * scale, kernel.shape[0])
        let shares = channels == 3 ? [0.299, 0.587, 0.114] : [1.0]
        let luma = (0..<(h * w)).map { index in
            (0..<channels).reduce(0.0) { $0 + shares[$1] * Double(observed[$1 * h * w + index]) }
        }
        let mean = luma.reduce(0, +) / Double(h * w)
        func squared(_ count: Int, _ term: (Int) -> (value: Double, phase: Double)) -> Double {
            var (real, imaginary) = (0.0, 0.0)
            for index in 0..<count {
                let (value, phase) = term(index)
                real += value * cos(phase)
                imaginary += value * sin(phase)
            }
            return real * real + imaginary * imaginary
        }
        var sum = 0.0
        for row in 0..<h {
            for column in 0..<w where row + column > 0 {
                let periodogram =
                    squared(h * w) { index in
                        let turns = Double(row * (index / w)) / Double(h) + Double(column * (index % w)) / Double(w)
                        return (luma[index] - mean, 2 * .pi * turns)
                    } / Double(h * w)
                var power = 0.0
                for rowAlias in 0..<scale {
                    for columnAlias in 0..<scale {
                        let (y, x) = (row + rowAlias * h, column + columnAlias * w)
                        let fy = Double(min(y, height - y)) / Double(height)
                        let fx = Double(min(x, width - x)) / Double(width)
                        let least = 0.5 / Double(max(height, width))
                        let gain = squared(n * n) { index in
                            let turns =
                                Double(y * (index / n)) / Double(height) + Double(x * (index % n)) / Double(width)
                            return (Double(kernel[index]), 2 * .pi * turns)
                        }
                        power += gain * pow(fy * fy + fx * fx + least * least, -spectrum.exponent / 2)
                    }
                }
                let variance =
                    exp(spectrum.logScale) * power / Double(scale * scale) + spectrum.noiseVariance
                sum += 0.5 * (periodogram / variance + log(variance))
            }
        }
        return sum / Double(h * w - 1) + 0.02 * pow(spectrum.exponent - 2.1, 2)
    }

    @Test(arguments: [ProblemSize(2, 5, 7, 6, 3), ProblemSize(3, 5, 4, 5, 1), ProblemSize(4, 7, 3, 4, 3)])
    func `the loss is that of the definition`(_ size: ProblemSize) throws {
        var random = RandomStream(seed: 1, name: "evidence \(size)")
        let (observed, kernel) = (size.observed(&random), size.kernel(&random))
        let evidence = try SpectralEvidence(
            observed: observed, scale: size.scale, kernelSize: size.kernelSize)
        for spectrum in [
            SpectralEvidence.Spectrum(), SpectralEvidence.Spectrum(logScale: -4, exponent: 2.6, noiseVariance: 1e-3),
        ] {
            expectClose(
                evidence.loss(of: kernel, spectrum: spectrum),
                Self.direct(observed, kernel, scale: size.scale, spectrum: spectrum), relative: 1e-4)
        }
    }

    @Test(arguments: [ProblemSize(2, 5, 7, 6, 3), ProblemSize(3, 5, 4, 5, 1), ProblemSize(4, 7, 5, 4, 3)])
    func `the gradient is that of finite differences`(_ size: ProblemSize) throws {
        var random = RandomStream(seed: 2, name: "gradient \(size)")
        let (observed, kernel) = (size.observed(&random), size.kernel(&random))
        let evidence = try SpectralEvidence(
            observed: observed, scale: size.scale, kernelSize: size.kernelSize)
        let spectrum = SpectralEvidence.Spectrum(logScale: -5, exponent: 2.2, noiseVariance: 1e-3)
        var gradient = Tensor<Double>(shape: kernel.shape)
        let loss = evidence.loss(of: kernel, spectrum: spectrum, addingGradientTo: &gradient, weight: 2)
        expectClose(loss, evidence.loss(of: kernel, spectrum: spectrum), relative: 1e-12)
        let largest = gradient.elements.map(abs).max() ?? 0
        for index in 0..<kernel.count {
            func moved(_ by: Float) -> Double {
                var other = kernel
                other[index] += by
                return Self.direct(observed, other, scale: size.scale, spectrum: spectrum)
            }
            expectClose(
                gradient[index], 2 * (moved(1e-3) - moved(-1e-3)) / 2e-3, absolute: 2e-3 * largest, "tap \(index)")
        }
    }

    @Test func `a fitted spectrum is a minimum`() throws {
        let size = ProblemSize(2, 7, 16, 18, 3)
        var random = RandomStream(seed: 3, name: "fit")
        let kernel = size.kernel(&random)
        // A picture whose spectrum falls with the frequency.
        var observed = Tensor<Float>(shape: size.lowShape)
        for _ in 0..<200 {
            let (down, right) = (random.index(below: 8), random.index(below: 9))
            let amplitude = random.normal() / Double(1 + down * down + right * right)
            let phase = 2 * .pi * random.uniform()
            for index in 0..<observed.count {
                let (row, column) = (index / 18 % 16, index % 18)
                let turns = Double(down * row) / 16 + Double(right * column) / 18
                observed[index] += Float(0.1 * amplitude * cos(2 * .pi * turns + phase))
            }
        }
        let evidence = try SpectralEvidence(observed: observed, scale: 2, kernelSize: 7)
        for estimatesNoise in [false, true] {
            let fitted = evidence.fitted(to: kernel, estimatesNoise: estimatesNoise)
            let least = evidence.loss(of: kernel, spectrum: fitted)
            for step in [-0.2, 0.2] {
                var scale = fitted
                scale.logScale += step
                var exponent = fitted
                exponent.exponent += step
                var noise = fitted
                noise.noiseVariance *= exp(abs(step))
                for other in [scale, exponent] + (estimatesNoise ? [noise] : []) {
                    #expect(evidence.loss(of: kernel, spectrum: other) > least)
                }
            }
        }
    }
}
