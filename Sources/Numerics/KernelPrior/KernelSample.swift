import Foundation
public import KernelFamilies
public import Tensors

/// What one iteration of random kernel sampling gives: kernels, how well each explains the input, and their mean k_r.
public struct KernelSample: Sendable, Equatable {
    /// The kernels k_l, each `[n, n]`.
    public let kernels: [Tensor<Float>]
    /// The category of each kernel.
    public let categories: [KernelCategory]
    /// The sum of squares of each kernel (Equation 7).
    public let losses: [Double]
    /// The weight w_l of each kernel (Equation 6); non-negative, of a sum that depends on the weighting.
    public let weights: [Double]
    /// The weighted mean k_r `[n, n]` (Equations 4 and 5).
    public let kernel: Tensor<Float>

    /// A sample of at least one kernel; the weighted mean is computed. Where every weight is zero all count alike.
    public init(
        kernels: [Tensor<Float>], categories: [KernelCategory], losses: [Double], weights: [Double]
    ) {
        precondition(!kernels.isEmpty, "a sample has at least one kernel")
        precondition(
            categories.count == kernels.count && losses.count == kernels.count && weights.count == kernels.count,
            "a sample has one category, loss and weight per kernel")
        let total = weights.reduce(0, +)
        let shares = weights.map { total > 0 ? $0 / total : 1 / Double(weights.count) }
        self.kernels = kernels
        self.categories = categories
        self.losses = losses
        self.weights = weights
        kernel = Self.mean(of: kernels, shares: shares)
    }

    /// The index of the kernel with the smallest loss.
    public var best: Int { losses.indices.min { losses[$0] < losses[$1] } ?? 0 }

    /// The category with the greatest total weight.
    public var category: KernelCategory {
        var votes = 0.0
        for (category, weight) in zip(categories, weights) { votes += category == .gaussian ? weight : -weight }
        return votes == 0 ? categories[best] : votes > 0 ? .gaussian : .motion
    }

    /// How far the kernels are apart: the root of the mean squared distance of all of them from their plain mean,
    /// relative to the norm of that mean. 0 where they agree; above about 0.3 they do not.
    public var spread: Double {
        let mean = Self.mean(of: kernels, shares: kernels.map { _ in 1 / Double(kernels.count) })
        var distance = 0.0
        for kernel in kernels { distance += squaredDistance(kernel, mean) }
        let norm = squaredDistance(mean, Tensor(shape: mean.shape))
        return norm > 0 ? (distance / Double(kernels.count) / norm).squareRoot() : 0
    }

    /// The prior's pull on the kernel network: sum_l w_l MSE(k_l, k) and its gradient with respect to k. With weights
    /// of sum 1 the gradient is that of MSE(k, k_r).
    public func guidance(at kernel: Tensor<Float>) -> (value: Double, gradient: Tensor<Float>) {
        precondition(kernel.shape == self.kernel.shape, "the kernel must be \(self.kernel.shape), not \(kernel.shape)")
        let total = weights.reduce(0, +)
        let count = Double(kernel.count)
        var value = 0.0
        for (other, weight) in zip(kernels, weights) { value += weight * squaredDistance(other, kernel) / count }
        var gradient = Tensor<Float>(shape: kernel.shape)
        let factor = Float(2 * total / count)
        gradient.withUnsafeMutableBufferPointer { gradient in
            kernel.withUnsafeBufferPointer { kernel in
                self.kernel.withUnsafeBufferPointer { mean in
                    for index in 0..<gradient.count { gradient[index] = factor * (kernel[index] - mean[index]) }
                }
            }
        }
        return (value, gradient)
    }

    private static func mean(of kernels: [Tensor<Float>], shares: [Double]) -> Tensor<Float> {
        var sums = [Double](repeating: 0, count: kernels[0].count)
        for (kernel, share) in zip(kernels, shares) where share > 0 {
            kernel.withUnsafeBufferPointer { kernel in
                for index in 0..<sums.count { sums[index] += share * Double(kernel[index]) }
            }
        }
        return Tensor(shape: kernels[0].shape, sums.map { Float($0) })
    }
}

/// The sum of squared differences of two kernels of one shape.
func squaredDistance(_ left: Tensor<Float>, _ right: Tensor<Float>) -> Double {
    left.withUnsafeBufferPointer { left in
        right.withUnsafeBufferPointer { right in
            var sum = 0.0
            for index in 0..<min(left.count, right.count) {
                let difference = Double(left[index]) - Double(right[index])
                sum += difference * difference
            }
            return sum
        }
    }
}
