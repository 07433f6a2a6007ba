public import Tensors

/// The expected sum of squares of a kernel under an uncertain image: the loss at the image's mean, plus the image's
/// variance seen through the kernel, N sigma_x^2 ||k||^2 for white errors.
///
/// The best kernel for an image that is still too smooth is too narrow, and an image restored with too narrow a kernel
/// stays too smooth: the joint optimum is no blur at all. Taking the image's own uncertainty into account, as
/// variational methods do, counts against narrow kernels and leads out of that trap (Levin, Weiss, Durand & Freeman,
/// "Efficient marginal likelihood optimization in blind deconvolution", 2011).
public struct UncertainImageLoss<Base: KernelLoss>: KernelLoss {
    private let base: Base
    private let variance: Double

    /// - Parameters:
    ///   - base: the loss at the image's mean.
    ///   - variance: N sigma_x^2, the image's variance summed over the values of the input.
    public init(_ base: Base, variance: Double) {
        self.base = base
        self.variance = variance
    }

    /// The number of squared residuals in the sum.
    public var count: Int { base.count }

    /// The expected sum of squares of a kernel `[n, n]`.
    public func loss(of kernel: Tensor<Float>) -> Double { base.loss(of: kernel) + variance * kernel.squaredNorm }
}

extension Tensor<Float> {
    /// The sum of squares of the elements.
    public var squaredNorm: Double {
        withUnsafeBufferPointer { elements in
            var sum = 0.0
            for element in elements { sum += Double(element) * Double(element) }
            return sum
        }
    }
}
