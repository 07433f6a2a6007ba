public import Failures
import Foundation
public import Tensors

/// How likely the low-resolution image y is under a kernel alone, whatever the image was: log p(y | k) with the image
/// integrated out under a stationary Gaussian prior whose power spectrum falls as a power of the frequency.
///
///     S(f) = c |f|^-b,   P(f) = mean of |K|^2 S over the s x s frequencies that decimation makes one,
///     -log p(y | k) / N = mean over f, 0 left out, of [ I(f) / (P(f) + n^2) + log(P(f) + n^2) ] / 2
///
/// with K the kernel's Fourier transform on the high-resolution grid, I the periodogram of y's luma, n the noise. What
/// misleads every joint estimate of image and kernel, that a soft image under no blur and an over-sharpened one under
/// too much explain y as well as the truth, is integrated out here. It says nothing of the kernel's phase, a kernel
/// and its mirror image being alike, and it takes a picture's own main direction for blur: a witness, not a judge.
///
/// The boundary is circular. An object of one problem; what it computes depends on nothing but its arguments. Not for
/// two threads at once.
public final class SpectralEvidence {
    /// What is assumed of the image and the noise.
    public struct Spectrum: Sendable, Codable, Equatable {
        /// log c.
        public var logScale: Double
        /// b; photographs have about 2.
        public var exponent: Double
        /// n^2, in squared units of the image.
        public var noiseVariance: Double

        /// A spectrum with these parameters.
        public init(logScale: Double = -9, exponent: Double = 2.1, noiseVariance: Double = leastNoise * leastNoise) {
            self.logScale = logScale
            self.exponent = exponent
            self.noiseVariance = noiseVariance
        }

        /// The rounding of 8-bit values, and a little: no image has less noise.
        public static let leastNoise = 0.5 / 255
    }

    /// n, the kernel's number of rows and columns.
    public let kernelSize: Int
    /// The number of frequencies of y over which the mean goes.
    public let count: Int

    /// Where photographs' exponents lie, and the weight of the squared distance from there, per sample.
    private static let usualExponent = 2.1
    private static let exponentWeight = 0.02
    private static let exponents = 1.0...4.0

    private let scale: Int
    private let height: Int
    private let width: Int
    private let transform: FourierTransform
    /// What each channel counts in the luma.
    private let shares: [Double]
    /// I, `[h, w]`.
    private let periodogram: [Double]
    /// log |f|^2 on the half spectrum of the high-resolution grid, `[H, W / 2 + 1]`.
    private let logFrequency: [Double]
    private var plane: [Float]
    private var prior: (exponent: Double, power: [Double])
    private var power: [Double]
    private var slope: [Double]

    /// - Parameters:
    ///   - observed: y, `[channels, h, w]`.
    ///   - scale: s, 1...8.
    ///   - kernelSize: n.
    /// - Throws: ``LibraryError`` if FFTW has no plan or no memory for the size.
    public init(observed: Tensor<Float>, scale: Int, kernelSize: Int) throws(LibraryError) {
        let (rows, columns) = (observed.shape[1], observed.shape[2])
        self.scale = scale
        self.kernelSize = kernelSize
        height = rows * scale
        width = columns * scale
        count = max(rows * columns - 1, 1)
        transform = try FourierTransform(height: height, width: width)
        let low = try FourierTransform(height: rows, width: columns)
        let channels = observed.shape[0]
        shares = channels == 3 ? [0.299, 0.587, 0.114] : [Double](repeating: 1 / Double(channels), count: channels)
        periodogram = Self.periodogram(of: observed, shares: shares, low)
        var logFrequency: [Double] = []
        let least = 0.5 / Double(max(height, width))
        for row in 0..<height {
            let y = Double(min(row, height - row)) / Double(height)
            for column in 0...(width / 2) {
                let x = Double(column) / Double(width)
                logFrequency.append(log(y * y + x * x + least * least))
            }
        }
        self.logFrequency = logFrequency
        plane = [Float](repeating: 0, count: height * width)
        prior = (.nan, [Double](repeating: 0, count: logFrequency.count))
        power = [Double](repeating: 0, count: rows * columns)
        slope = power
    }

    /// -log p(y | k) per sample, the exponent's prior included, for `kernel` `[n, n]` and a spectrum.
    public func loss(of kernel: Tensor<Float>, spectrum: Spectrum) -> Double {
        collect(kernel, exponent: spectrum.exponent, withSlope: false)
        return value(spectrum)
    }

    /// The loss, with `weight` times its gradient in the kernel, the spectrum held, added to `gradient` `[n, n]`.
    public func loss(
        of kernel: Tensor<Float>, spectrum: Spectrum, addingGradientTo gradient: inout Tensor<Double>,
        weight: Double = 1
    ) -> Double {
        precondition(gradient.count == kernelSize * kernelSize, "a gradient of shape \(gradient.shape)")
        collect(kernel, exponent: spectrum.exponent, withSlope: false)
        let loss = value(spectrum)
        let (rows, columns) = (height / scale, width / scale)
        let factor = exp(spectrum.logScale) / Double(count) / Double(scale * scale)
        // The derivative in each frequency of y, times 2 as |K|^2 is a square, in place of P.
        let scaleOfPrior = exp(spectrum.logScale)
        power.withUnsafeMutableBufferPointer { power in
            periodogram.withUnsafeBufferPointer { periodogram in
                for index in 1..<max(power.count, 1) {
                    let variance = scaleOfPrior * power[index] + spectrum.noiseVariance
                    power[index] = factor * (1 - periodogram[index] / variance) / variance
                }
                power[0] = 0
            }
        }
        place(kernel)
        let (height, half, gains, priorPower) = (height, width / 2 + 1, power, prior.power)
        plane.withUnsafeMutableBufferPointer { plane in
            gains.withUnsafeBufferPointer { gains in
                priorPower.withUnsafeBufferPointer { priorPower in
                    transform.filter(plane) { spectrum in
                        for row in 0..<height {
                            let line = row % rows * columns
                            var low = 0
                            for column in 0..<half {
                                let index = row * half + column
                                let gain = Float(gains[line + low] * priorPower[index])
                                low = low + 1 == columns ? 0 : low + 1
                                spectrum[index].real *= gain
                                spectrum[index].imaginary *= gain
                            }
                        }
                    }
                }
            }
            for row in 0..<kernelSize {
                for column in 0..<kernelSize {
                    gradient[row * kernelSize + column] +=
                        weight * Double(plane[row % height * width + column % width])
                }
            }
        }
        return loss
    }

    /// The spectrum under which y is likeliest with `kernel`, searched from another one by Fisher scoring.
    /// - Parameter estimatesNoise: whether the noise too is fitted, never below ``Spectrum/leastNoise``.
    public func fitted(
        to kernel: Tensor<Float>, from start: Spectrum = Spectrum(), estimatesNoise: Bool = false
    ) -> Spectrum {
        var spectrum = start
        for _ in 0..<20 {
            collect(kernel, exponent: spectrum.exponent, withSlope: true)
            let step = scoringStep(spectrum, estimatesNoise: estimatesNoise)
            spectrum.logScale -= min(max(step.logScale, -2), 2)
            spectrum.exponent -= min(max(step.exponent, -0.5), 0.5)
            spectrum.exponent = min(max(spectrum.exponent, Self.exponents.lowerBound), Self.exponents.upperBound)
            if estimatesNoise {
                spectrum.noiseVariance = max(
                    spectrum.noiseVariance * exp(-min(max(step.logNoise, -2), 2)),
                    Spectrum.leastNoise * Spectrum.leastNoise)
            }
            if max(abs(step.logScale), abs(step.exponent), estimatesNoise ? abs(step.logNoise) : 0) < 1e-5 { break }
        }
        return spectrum
    }

    /// The loss of a kernel under the scale that suits it best, exponent and noise as in `spectrum`: what to compare
    /// many kernels by.
    public func profiledLoss(of kernel: Tensor<Float>, spectrum: Spectrum) -> Double {
        collect(kernel, exponent: spectrum.exponent, withSlope: false)
        var spectrum = spectrum
        for _ in 0..<8 {
            let scale = exp(spectrum.logScale)
            let noise = spectrum.noiseVariance
            var gradient = 0.0
            var information = 1e-9
            power.withUnsafeBufferPointer { power in
                periodogram.withUnsafeBufferPointer { periodogram in
                    for index in 1..<max(power.count, 1) {
                        let variance = scale * power[index] + noise
                        let part = scale * power[index] / variance
                        gradient += part * (1 - periodogram[index] / variance)
                        information += part * part
                    }
                }
            }
            let step = min(max(gradient / information, -2), 2)
            spectrum.logScale -= step
            if abs(step) < 1e-4 { break }
        }
        return value(spectrum)
    }

    /// n^2 of the luma where each channel has independent noise of a deviation; never below the rounding's.
    public func noiseVariance(ofChannels deviation: Double) -> Double {
        let share = shares.reduce(0) { $0 + $1 * $1 }
        return max(share * deviation * deviation, Spectrum.leastNoise * Spectrum.leastNoise)
    }

    // MARK: Parts

    private static func periodogram(
        of observed: Tensor<Float>, shares: [Double], _ transform: FourierTransform
    ) -> [Double] {
        let (channels, rows, columns) = (observed.shape[0], observed.shape[1], observed.shape[2])
        let pixels = rows * columns
        var luma = [Double](repeating: 0, count: pixels)
        for channel in 0..<channels {
            for index in 0..<pixels { luma[index] += shares[channel] * Double(observed[channel * pixels + index]) }
        }
        let mean = luma.reduce(0, +) / Double(pixels)
        let plane = luma.map { Float($0 - mean) }
        var result = [Double](repeating: 0, count: pixels)
        let half = columns / 2 + 1
        plane.withUnsafeBufferPointer { plane in
            transform.transform(plane) { spectrum in
                for row in 0..<rows {
                    for column in 0..<columns {
                        // Beyond the middle the spectrum of a real plane is the mirror image of what is stored.
                        let stored =
                            column < half
                            ? row * half + column
                            : (rows - row) % rows * half + columns - column
                        let value = spectrum[stored]
                        let (real, imaginary) = (Double(value.real), Double(value.imaginary))
                        result[row * columns + column] = (real * real + imaginary * imaginary) / Double(pixels)
                    }
                }
            }
        }
        return result
    }

    /// Puts a kernel at the origin of the plane; larger ones than the plane wrap around.
    private func place(_ kernel: Tensor<Float>) {
        precondition(
            kernel.shape == [kernelSize, kernelSize],
            "a kernel of shape \(kernel.shape), expected \(kernelSize) squared")
        let (size, height, width) = (kernelSize, height, width)
        plane.withUnsafeMutableBufferPointer { plane in
            kernel.withUnsafeBufferPointer { kernel in
                plane.update(repeating: 0)
                for row in 0..<size {
                    for column in 0..<size {
                        plane[row % height * width + column % width] += kernel[row * size + column]
                    }
                }
            }
        }
    }

    /// Fills ``power`` with P / c, and ``slope`` with its derivative in the exponent.
    private func collect(_ kernel: Tensor<Float>, exponent: Double, withSlope: Bool) {
        if prior.exponent != exponent {
            prior = (exponent, logFrequency.map { exp(-0.5 * exponent * $0) })
        }
        place(kernel)
        let (height, width, scale) = (height, width, scale)
        let (rows, columns, half) = (height / scale, width / scale, width / 2 + 1)
        let share = 1 / Double(scale * scale)
        // Buffers of locals: an access to a property in the innermost loop would be checked each time.
        let (priorPower, logFrequency, plane) = (prior.power, logFrequency, plane)
        power.withUnsafeMutableBufferPointer { power in
            slope.withUnsafeMutableBufferPointer { slope in
                priorPower.withUnsafeBufferPointer { priorPower in
                    logFrequency.withUnsafeBufferPointer { logFrequency in
                        plane.withUnsafeBufferPointer { plane in
                            power.update(repeating: 0)
                            slope.update(repeating: 0)
                            transform.transform(plane) { spectrum in
                                for row in 0..<height {
                                    let line = row % rows * columns
                                    let mirrored = (height - row) % height % rows * columns
                                    var low = 0
                                    for column in 0..<half {
                                        let index = row * half + column
                                        let real = Double(spectrum[index].real)
                                        let imaginary = Double(spectrum[index].imaginary)
                                        let value = share * (real * real + imaginary * imaginary) * priorPower[index]
                                        let change = withSlope ? -0.5 * logFrequency[index] * value : 0
                                        power[line + low] += value
                                        if withSlope { slope[line + low] += change }
                                        if column > 0 && 2 * column != width {
                                            let target = mirrored + (low == 0 ? 0 : columns - low)
                                            power[target] += value
                                            if withSlope { slope[target] += change }
                                        }
                                        low = low + 1 == columns ? 0 : low + 1
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private func value(_ spectrum: Spectrum) -> Double {
        let scale = exp(spectrum.logScale)
        let noise = spectrum.noiseVariance
        let sum = power.withUnsafeBufferPointer { power in
            periodogram.withUnsafeBufferPointer { periodogram in
                var sum = 0.0
                for index in 1..<max(power.count, 1) {
                    let variance = scale * power[index] + noise
                    sum += periodogram[index] / variance + log(variance)
                }
                return sum
            }
        }
        let distance = spectrum.exponent - Self.usualExponent
        return 0.5 * sum / Double(count) + Self.exponentWeight * distance * distance
    }

    /// The inverse of the Fisher information times the gradient, in log c, b and log n^2.
    private func scoringStep(
        _ spectrum: Spectrum, estimatesNoise: Bool
    ) -> (logScale: Double, exponent: Double, logNoise: Double) {
        let scale = exp(spectrum.logScale)
        let noise = spectrum.noiseVariance
        var (first, second, third) = (0.0, 0.0, 0.0)
        var (a, b, c, d, e, f) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        power.withUnsafeBufferPointer { power in
            slope.withUnsafeBufferPointer { slope in
                periodogram.withUnsafeBufferPointer { periodogram in
                    for index in 1..<max(power.count, 1) {
                        let inverse = 1 / (scale * power[index] + noise)
                        let ofScale = scale * power[index] * inverse
                        let ofExponent = scale * slope[index] * inverse
                        let ofNoise = estimatesNoise ? noise * inverse : 0
                        let excess = 1 - periodogram[index] * inverse
                        first += excess * ofScale
                        second += excess * ofExponent
                        third += excess * ofNoise
                        a += ofScale * ofScale
                        b += ofScale * ofExponent
                        c += ofScale * ofNoise
                        d += ofExponent * ofExponent
                        e += ofExponent * ofNoise
                        f += ofNoise * ofNoise
                    }
                }
            }
        }
        let share = 0.5 / Double(count)
        var gradient = [first, second, third].map { share * $0 }
        var information = [a, b, c, b, d, e, c, e, f].map { share * $0 }
        gradient[1] += 2 * Self.exponentWeight * (spectrum.exponent - Self.usualExponent)
        information[4] += 2 * Self.exponentWeight
        for index in 0..<3 { information[4 * index] += 1e-9 }
        if !estimatesNoise { information[8] = 1 }
        let step = solved(information, gradient)
        return (step[0], step[1], step[2])
    }

    /// The solution of a positive definite 3 x 3 system, by elimination.
    private func solved(_ matrix: [Double], _ vector: [Double]) -> [Double] {
        var (matrix, vector) = (matrix, vector)
        for pivot in 0..<3 {
            for row in (pivot + 1)..<max(3, pivot + 1) {
                let factor = matrix[3 * row + pivot] / matrix[3 * pivot + pivot]
                for column in pivot..<3 { matrix[3 * row + column] -= factor * matrix[3 * pivot + column] }
                vector[row] -= factor * vector[pivot]
            }
        }
        for row in (0..<3).reversed() {
            for column in (row + 1)..<max(3, row + 1) { vector[row] -= matrix[3 * row + column] * vector[column] }
            vector[row] /= matrix[4 * row]
        }
        return vector
    }
}
