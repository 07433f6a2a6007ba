internal import CImagingKernels
public import Tensors

/// How well a kernel explains the data with a given image, as the quadratic form k'Ak - 2 b'k + c, written out: the normal
/// equations Ak = b of the kernel.
///
/// In the units of a mean squared error per sample. ``KernelQuadratic`` is the compact form to try kernels with; this one
/// can be averaged over images, weighted, solved and saved.
public struct KernelNormalEquations: Sendable, Equatable {
    /// n, the kernel's number of rows and columns.
    public let kernelSize: Int
    /// A, `[n n, n n]`, symmetric and positive semi-definite.
    public private(set) var matrix: Tensor<Double>
    /// b, `[n n]`.
    public private(set) var vector: Tensor<Double>
    /// c: the loss of the kernel that is zero everywhere.
    public private(set) var constant: Double

    /// The equations with these coefficients, of shapes `[n n, n n]` and `[n n]`.
    public init(kernelSize: Int, matrix: Tensor<Double>, vector: Tensor<Double>, constant: Double) {
        let taps = kernelSize * kernelSize
        precondition(
            matrix.shape == [taps, taps] && vector.shape == [taps],
            "equations of shapes \(matrix.shape) and \(vector.shape) for a kernel of \(kernelSize)")
        self.kernelSize = kernelSize
        self.matrix = matrix
        self.vector = vector
        self.constant = constant
    }

    /// Equations that say nothing.
    public init(kernelSize: Int) {
        let taps = kernelSize * kernelSize
        self.init(
            kernelSize: kernelSize, matrix: Tensor(shape: [taps, taps]), vector: Tensor(shape: [taps]), constant: 0)
    }

    /// The mean squared error of `kernel` `[n, n]`, whatever its sum or signs.
    public func loss(of kernel: Tensor<Float>) -> Double {
        let kernel = kernel.map { Double($0) }
        let product = product(with: kernel)
        var sum = constant
        for index in 0..<kernel.count { sum += kernel[index] * (product[index] - 2 * vector[index]) }
        return sum
    }

    /// Ak for `kernel` `[n, n]`, `[n n]`.
    public func product(with kernel: Tensor<Double>) -> Tensor<Double> {
        let taps = kernelSize * kernelSize
        precondition(kernel.count == taps, "a kernel of shape \(kernel.shape), expected \(kernelSize) rows and columns")
        var result = Tensor<Double>(shape: [taps])
        withMutableElements(&result) { result in
            withElements(matrix) { matrix in
                withElements(kernel) { dkp_symmetric_product(taps, matrix, $0, result) }
            }
        }
        return result
    }

    /// Moves towards other equations of the same size: `retaining` times these plus the rest times the others, which is
    /// an exponential average where it is done at every step.
    public mutating func average(with other: KernelNormalEquations, retaining: Double) {
        precondition(other.kernelSize == kernelSize, "equations of kernels of \(other.kernelSize) and \(kernelSize)")
        let share = 1 - retaining
        Self.combine(&matrix, other.matrix) { retaining * $0 + share * $1 }
        Self.combine(&vector, other.vector) { retaining * $0 + share * $1 }
        constant = retaining * constant + share * other.constant
    }

    /// Adds other equations of the same size, the losses adding up.
    public mutating func add(_ other: KernelNormalEquations) {
        precondition(other.kernelSize == kernelSize, "equations of kernels of \(other.kernelSize) and \(kernelSize)")
        Self.combine(&matrix, other.matrix) { $0 + $1 }
        Self.combine(&vector, other.vector) { $0 + $1 }
        constant += other.constant
    }

    /// Multiplies the losses by a factor.
    public mutating func scale(by factor: Double) {
        matrix = matrix.map { factor * $0 }
        vector = vector.map { factor * $0 }
        constant *= factor
    }

    private static func combine(
        _ target: inout Tensor<Double>, _ other: Tensor<Double>, _ function: (Double, Double) -> Double
    ) {
        target.withUnsafeMutableBufferPointer { target in
            other.withUnsafeBufferPointer { other in
                for index in 0..<target.count { target[index] = function(target[index], other[index]) }
            }
        }
    }
}
