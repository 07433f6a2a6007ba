import Degradation
import Foundation
import Imaging
import KernelPrior
package import Tensors

/// Brings the levels of a restored image into agreement with the input: what the input shows of an area's brightness
/// and colour holds, whatever the method made of it.
///
/// The image is blurred with its kernel and decimated; what is left to the input, smoothed over a few of its pixels, is
/// enlarged and added, and once more for what that leaves. Detail and noise of the input stay out: they are the
/// method's to judge.
package struct LevelCorrection {
    /// How often what is left is added.
    private static let passes = 16
    /// The least standard deviation of the smoothing, in pixels of the input: that of the window of SSIM.
    private static let leastStandardDeviation = 1.5
    /// Where less of the window than this counts, the correction fades out.
    private static let leastWeight: Float = 0.05

    private let observed: Tensor<Float>
    private let scale: Int

    /// - Parameters:
    ///   - observed: the input's colour planes `[channels, height, width]` in [0, 1].
    ///   - scale: how many times larger estimates are on each axis.
    package init(observed: Tensor<Float>, scale: Int) {
        self.observed = observed
        self.scale = scale
    }

    /// The estimate with its levels corrected, and its samples held to [0, 1]. Its kernel stays.
    package func corrected(_ estimate: RestorationEstimate) -> RestorationEstimate {
        let kernel = estimate.kernel
        // Clipping would hide what is wrong with numbers that are none.
        guard estimate.image.isFinite, kernel.isFinite else { return estimate }
        let (height, width) = (estimate.image.shape[1], estimate.image.shape[2])
        var degradation = DegradationOperator(scale: scale, kernelSize: kernel.shape[0], height: height, width: width)
        var smoothing = Smoothing(
            shape: observed.shape, border: (kernel.shape[0] / 2 + scale - 1) / scale,
            deviation: max(
                Self.leastStandardDeviation, max(0, KernelMoments(kernel).major).squareRoot() / Double(scale)))
        var image = estimate.image.map { min(max($0, 0), 1) }
        var residual = Tensor<Float>(shape: observed.shape)
        for _ in 0..<Self.passes {
            degradation.apply(image: image, kernel: kernel, into: &residual)
            residual.combine(observed) { $1 - $0 }
            smoothing.apply(to: &residual)
            image.combine(residual.resampledBicubic(height: height, width: width)) { min(max($0 + $1, 0), 1) }
        }
        var result = estimate
        result.image = image
        return result
    }

    /// A Gaussian mean over the pixels around each one, those near the edge of the image left out: there the input may
    /// have been blurred with what lies outside, while the model takes the picture to repeat.
    private struct Smoothing {
        private let shape: [Int]
        private let taps: [Float]
        /// Which rows and columns count, 1 or 0, and the window's weight at each.
        private let rows: (counts: [Float], weights: [Float])
        private let columns: (counts: [Float], weights: [Float])
        private var filtered: [Float]

        init(shape: [Int], border: Int, deviation: Double) {
            self.shape = shape
            let radius = Int((3 * deviation).rounded(.up))
            let density = (-radius...radius).map { Float(exp(-0.5 * Double($0 * $0) / (deviation * deviation))) }
            let sum = density.reduce(0, +)
            let taps = density.map { $0 / sum }
            func axis(_ count: Int) -> (counts: [Float], weights: [Float]) {
                let inside = border..<max(border, count - border)
                let counts = (0..<count).map { Float(inside.isEmpty || inside.contains($0) ? 1 : 0) }
                return (counts, Self.filter(counts, taps))
            }
            self.taps = taps
            rows = axis(shape[1])
            columns = axis(shape[2])
            filtered = [Float](repeating: 0, count: shape[1] * shape[2])
        }

        private static func filter(_ values: [Float], _ taps: [Float]) -> [Float] {
            let radius = taps.count / 2
            return values.indices.map { place in
                taps.indices.reduce(Float(0)) { sum, tap in
                    let index = place + tap - radius
                    return values.indices.contains(index) ? sum + taps[tap] * values[index] : sum
                }
            }
        }

        mutating func apply(to planes: inout Tensor<Float>) {
            let (height, width, radius) = (shape[1], shape[2], taps.count / 2)
            let (taps, rows, columns) = (taps, rows, columns)
            planes.withUnsafeMutableBufferPointer { planes in
                filtered.withUnsafeMutableBufferPointer { filtered in
                    for plane in stride(from: 0, to: planes.count, by: height * width) {
                        for y in 0..<height {
                            for x in 0..<width {
                                var sum: Float = 0
                                for column in max(0, x - radius)...min(width - 1, x + radius) {
                                    sum +=
                                        taps[column - x + radius] * columns.counts[column]
                                        * planes[plane + y * width + column]
                                }
                                filtered[y * width + x] = sum
                            }
                        }
                        for y in 0..<height {
                            let span = max(0, y - radius)...min(height - 1, y + radius)
                            for x in 0..<width {
                                var sum: Float = 0
                                for row in span {
                                    sum += taps[row - y + radius] * rows.counts[row] * filtered[row * width + x]
                                }
                                let weight = rows.weights[y] * columns.weights[x]
                                planes[plane + y * width + x] = sum / max(weight, LevelCorrection.leastWeight)
                            }
                        }
                    }
                }
            }
        }
    }
}

extension Tensor where Scalar == Float {
    /// Replaces each element by a function of itself and its counterpart in a tensor of the same shape.
    fileprivate mutating func combine(_ other: Tensor, _ function: (Float, Float) -> Float) {
        withUnsafeMutableBufferPointer { own in
            other.withUnsafeBufferPointer { other in
                for index in 0..<min(own.count, other.count) { own[index] = function(own[index], other[index]) }
            }
        }
    }
}
