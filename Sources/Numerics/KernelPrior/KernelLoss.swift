public import Tensors

/// How well a kernel explains the input with the present image: what a sampler weighs its kernels by.
public protocol KernelLoss {
    /// The number of squared residuals in the sum: channels x rows x columns of the low-resolution input.
    var count: Int { get }
    /// The sum of squares ||y - (x (*) k)|s||^2 for a kernel `[n, n]` (Equation 7 without its delta).
    func loss(of kernel: Tensor<Float>) -> Double
}

/// A loss given as a function.
public struct KernelLossFunction: KernelLoss {
    /// The number of squared residuals in the sum.
    public let count: Int
    private let function: (Tensor<Float>) -> Double

    /// A loss with `count` residuals, computed by `function`.
    public init(count: Int, _ function: @escaping (Tensor<Float>) -> Double) {
        self.count = count
        self.function = function
    }

    /// The value of the function.
    public func loss(of kernel: Tensor<Float>) -> Double { function(kernel) }
}
