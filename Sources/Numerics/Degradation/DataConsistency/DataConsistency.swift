public import Tensors

/// Moves an image towards those that explain the low-resolution image y: the data's part of a step of Diff-DKP
/// (Equations 23 and 24).
///
/// An object of one problem: y, the scale and the sizes are fixed, image and kernel change. Not for two threads at once.
public protocol DataConsistency: AnyObject {
    /// The image nearer to the data.
    /// - Parameters:
    ///   - image: x0, `[channels, s h, s w]`.
    ///   - kernel: `[n, n]`, non-negative, sum 1.
    ///   - weight: alpha, how much the image itself counts beside the data; positive. Not every form uses it.
    func consistent(_ image: Tensor<Float>, kernel: Tensor<Float>, weight: Double) -> Tensor<Float>
}

/// One step down the data term's gradient: x0 - gamma grad || y - (x0 (*) k)|s ||^2, as the paper prints it.
///
/// gamma is 1 / (2 L) with L the greatest eigenvalue of the blur and decimation times its transpose: the largest step
/// that overshoots nowhere.
public final class GradientConsistency: DataConsistency {
    private let observed: Tensor<Float>
    private let scale: Int
    private var degradation: DegradationOperator
    private var residual: Tensor<Float>
    private var gradient: Tensor<Float>

    /// - Parameters:
    ///   - observed: y, `[channels, h, w]`.
    ///   - scale: s, 1...8.
    ///   - kernelSize: n, odd.
    public init(observed: Tensor<Float>, scale: Int, kernelSize: Int) {
        self.observed = observed
        self.scale = scale
        degradation = DegradationOperator(
            scale: scale, kernelSize: kernelSize, height: observed.shape[1] * scale, width: observed.shape[2] * scale)
        residual = Tensor(shape: observed.shape)
        gradient = Tensor(shape: [observed.shape[0], observed.shape[1] * scale, observed.shape[2] * scale])
    }

    /// The image after one step; the weight counts for nothing.
    public func consistent(_ image: Tensor<Float>, kernel: Tensor<Float>, weight _: Double) -> Tensor<Float> {
        degradation.apply(image: image, kernel: kernel, into: &residual)
        residual.combine(observed) { $0 - $1 }
        degradation.adjointImage(residual: residual, kernel: kernel, into: &gradient)
        // gamma times the 2 of the square's derivative.
        let step = Float(1 / Self.greatestEigenvalue(of: kernel, scale: scale))
        var result = image
        result.combine(gradient) { $0 - step * $1 }
        return result
    }

    /// The greatest eigenvalue for a non-negative kernel: that of the constant image, in which the taps of each of the
    /// s x s phases add up.
    static func greatestEigenvalue(of kernel: Tensor<Float>, scale: Int) -> Double {
        let size = kernel.shape[1]
        var phases = [Double](repeating: 0, count: scale * scale)
        for index in 0..<kernel.count {
            phases[index / size % scale * scale + index % size % scale] += Double(kernel[index])
        }
        return max(phases.reduce(0) { $0 + $1 * $1 }, .leastNormalMagnitude)
    }
}

extension Tensor where Scalar == Float {
    /// Replaces each element by a function of itself and its counterpart in a tensor of the same shape.
    mutating func combine(_ other: Tensor, _ function: (Float, Float) -> Float) {
        precondition(shape == other.shape, "arrays of shapes \(shape) and \(other.shape)")
        withUnsafeMutableBufferPointer { own in
            other.withUnsafeBufferPointer { other in
                for index in 0..<own.count { own[index] = function(own[index], other[index]) }
            }
        }
    }
}
