import Degradation
import Foundation
import Tensors

/// The definitions, written down term by term in double precision: slow, and nothing to get wrong.
enum Reference {
    private static func wrapped(_ index: Int, _ count: Int) -> Int { ((index % count) + count) % count }

    /// Calls `body` with the offsets of every (output, image, kernel) triple that equation (1) multiplies.
    static func forEachProduct(_ size: ProblemSize, _ body: (Int, Int, Int) -> Void) {
        let (n, s) = (size.kernelSize, size.scale)
        for c in 0..<size.channels {
            for i in 0..<size.lowHeight {
                for j in 0..<size.lowWidth {
                    for u in 0..<n {
                        for v in 0..<n {
                            let row = wrapped(s * i + u - n / 2, size.height)
                            let column = wrapped(s * j + v - n / 2, size.width)
                            body(
                                (c * size.lowHeight + i) * size.lowWidth + j,
                                (c * size.height + row) * size.width + column, u * n + v)
                        }
                    }
                }
            }
        }
    }

    static func degraded(_ image: Tensor<Float>, _ kernel: Tensor<Float>, _ size: ProblemSize) -> Tensor<Double> {
        var result = [Double](repeating: 0, count: size.lowCount)
        let (x, k) = (image.elements, kernel.elements)
        forEachProduct(size) { y, pixel, tap in result[y] += Double(x[pixel]) * Double(k[tap]) }
        return Tensor(shape: size.lowShape, result)
    }

    static func adjointImage(_ residual: Tensor<Float>, _ kernel: Tensor<Float>, _ size: ProblemSize) -> Tensor<Double>
    {
        var result = [Double](repeating: 0, count: size.highCount)
        let (r, k) = (residual.elements, kernel.elements)
        forEachProduct(size) { y, pixel, tap in result[pixel] += Double(r[y]) * Double(k[tap]) }
        return Tensor(shape: size.highShape, result)
    }

    static func adjointKernel(_ residual: Tensor<Float>, _ image: Tensor<Float>, _ size: ProblemSize) -> Tensor<Double>
    {
        var result = [Double](repeating: 0, count: size.kernelSize * size.kernelSize)
        let (r, x) = (residual.elements, image.elements)
        forEachProduct(size) { y, pixel, tap in result[tap] += Double(r[y]) * Double(x[pixel]) }
        return Tensor(shape: [size.kernelSize, size.kernelSize], result)
    }

    static func loss(
        _ image: Tensor<Float>, _ kernel: Tensor<Float>, _ observed: Tensor<Float>, _ size: ProblemSize
    ) -> Double {
        zip(degraded(image, kernel, size).elements, observed.elements).reduce(0) { sum, pair in
            sum + (pair.0 - Double(pair.1)) * (pair.0 - Double(pair.1))
        }
    }

    /// Mean SSIM with an 11 x 11 Gaussian window of sigma 1.5 and zero padding.
    static func similarity(_ a: [Double], _ b: [Double], channels: Int, height: Int, width: Int) -> Double {
        let weights = (-5...5).map { exp(-Double($0 * $0) / 4.5) }
        let sum = weights.reduce(0, +)
        var total = 0.0
        for c in 0..<channels {
            for i in 0..<height {
                for j in 0..<width {
                    var (meanA, meanB, squareA, squareB, product) = (0.0, 0.0, 0.0, 0.0, 0.0)
                    for di in max(-5, -i)...min(5, height - 1 - i) {
                        for dj in max(-5, -j)...min(5, width - 1 - j) {
                            let weight = weights[di + 5] * weights[dj + 5] / (sum * sum)
                            let offset = (c * height + i + di) * width + j + dj
                            meanA += weight * a[offset]
                            meanB += weight * b[offset]
                            squareA += weight * a[offset] * a[offset]
                            squareB += weight * b[offset] * b[offset]
                            product += weight * a[offset] * b[offset]
                        }
                    }
                    let means = (2 * meanA * meanB + 1e-4) / (meanA * meanA + meanB * meanB + 1e-4)
                    let spread = squareA - meanA * meanA + squareB - meanB * meanB + 9e-4
                    total += means * (2 * (product - meanA * meanB) + 9e-4) / spread
                }
            }
        }
        return total / Double(channels * height * width)
    }

    /// The sum of (|difference| + 1e-8)^0.67 over four neighbours, reflected at the border.
    static func gradientPrior(_ image: [Double], channels: Int, height: Int, width: Int) -> Double {
        func reflected(_ index: Int, _ count: Int) -> Int {
            index < 0 ? -index : index >= count ? 2 * count - 2 - index : index
        }
        var total = 0.0
        for c in 0..<channels {
            for i in 0..<height {
                for j in 0..<width {
                    for (di, dj) in [(-1, 0), (-1, -1), (0, -1), (1, -1)] {
                        let other = (c * height + reflected(i + di, height)) * width + reflected(j + dj, width)
                        total += pow(abs(image[(c * height + i) * width + j] - image[other]) + 1e-8, 0.67)
                    }
                }
            }
        }
        return total
    }

    /// The gradient of `function` by central differences.
    static func gradient(at point: [Double], step: Double, _ function: ([Double]) -> Double) -> [Double] {
        point.indices.map { index in
            var moved = point
            moved[index] = point[index] + step
            let above = function(moved)
            moved[index] = point[index] - step
            return (above - function(moved)) / (2 * step)
        }
    }
}

/// The extents of one small problem.
struct ProblemSize: Sendable, CustomStringConvertible {
    let scale: Int
    let kernelSize: Int
    let lowHeight: Int
    let lowWidth: Int
    let channels: Int

    init(_ scale: Int, _ kernelSize: Int, _ lowHeight: Int, _ lowWidth: Int, _ channels: Int) {
        self.scale = scale
        self.kernelSize = kernelSize
        self.lowHeight = lowHeight
        self.lowWidth = lowWidth
        self.channels = channels
    }

    var height: Int { scale * lowHeight }
    var width: Int { scale * lowWidth }
    var lowShape: [Int] { [channels, lowHeight, lowWidth] }
    var highShape: [Int] { [channels, height, width] }
    var lowCount: Int { channels * lowHeight * lowWidth }
    var highCount: Int { channels * height * width }
    var description: String { "s \(scale), n \(kernelSize), \(channels) x \(lowHeight) x \(lowWidth)" }

    var degradation: DegradationOperator {
        DegradationOperator(scale: scale, kernelSize: kernelSize, height: height, width: width)
    }

    /// Odd sizes, one or three channels, kernels larger than the image, rows around whole numbers of vectors, and the
    /// method's own kernel sizes at every scale.
    static let all: [ProblemSize] =
        [
            ProblemSize(1, 3, 1, 1, 1), ProblemSize(1, 1, 3, 2, 3), ProblemSize(1, 5, 4, 33, 1),
            ProblemSize(2, 11, 1, 1, 1), ProblemSize(2, 11, 3, 5, 3), ProblemSize(2, 11, 9, 17, 1),
            ProblemSize(2, 1, 3, 3, 1), ProblemSize(3, 15, 5, 7, 3), ProblemSize(3, 15, 4, 16, 1),
            ProblemSize(4, 19, 1, 3, 3), ProblemSize(4, 19, 7, 5, 3), ProblemSize(4, 19, 3, 15, 1),
            ProblemSize(4, 3, 5, 6, 2), ProblemSize(8, 21, 1, 1, 1), ProblemSize(8, 21, 3, 2, 3),
            ProblemSize(8, 21, 2, 9, 1), ProblemSize(8, 5, 3, 4, 1), ProblemSize(2, 3, 2, 63, 1),
            ProblemSize(2, 3, 2, 64, 1), ProblemSize(2, 3, 3, 65, 1), ProblemSize(2, 5, 2, 135, 1),
            ProblemSize(5, 7, 3, 47, 1), ProblemSize(7, 9, 2, 5, 1), ProblemSize(1, 63, 5, 4, 1),
            ProblemSize(8, 63, 2, 3, 1),
        ]

    func image(_ random: inout RandomStream) -> Tensor<Float> { Tensor.random(highShape, &random) }
    func observed(_ random: inout RandomStream) -> Tensor<Float> { Tensor.random(lowShape, &random) }
    func kernel(_ random: inout RandomStream) -> Tensor<Float> {
        let values = Tensor.random([kernelSize, kernelSize], &random)
        let sum = values.elements.reduce(0, +)
        return values.map { $0 / sum }
    }
}

extension Tensor where Scalar == Float {
    /// Uniform values in [0, 1).
    static func random(_ shape: [Int], _ random: inout RandomStream) -> Tensor {
        Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.uniform()) })
    }

    /// Uniform values in [-1, 1).
    static func randomSigned(_ shape: [Int], _ random: inout RandomStream) -> Tensor {
        Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.uniform(in: -1...1)) })
    }

    var doubles: [Double] { elements.map(Double.init) }
}

/// The sum of products, in double precision.
func dot(_ left: Tensor<Float>, _ right: Tensor<Float>) -> Double {
    zip(left.elements, right.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
}
