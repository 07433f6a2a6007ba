internal import CImagingKernels
public import Tensors

/// The kernel's data loss, equation (7) without delta, as the quadratic form that it is:
///
///     || y - (x (*) k)|s ||^2 = k'Gk - 2 b'k + c
///
/// with G, b and c computed once per pair of images, so that thousands of kernels can be tried at microseconds each. The
/// sum runs over all channels and pixels of y; divide by ``count`` for a mean. It holds for every kernel, whatever
/// its sum or signs.
///
/// All of it is in double precision: the terms cancel near the optimum, and a residual of 1e-5 of the signal's energy
/// still keeps about ten digits. G depends only on differences of taps and their positions modulo s (H and W are
/// multiples of s and the boundary is circular), which makes it small to store and quick to build.
public struct KernelQuadratic: Sendable {
    private let shape: DegradationShape
    private let channels: Int
    private var table: Tensor<Double>
    private var linear: Tensor<Double>
    private var constant: Double = 0
    private var scratch: Tensor<Double>

    /// A form for images of the given sizes, zero until the first ``update(image:observed:)``.
    ///
    /// - Parameters:
    ///   - scale: s, 1...8.
    ///   - kernelSize: n, odd, 1...63.
    ///   - height: H of the high-resolution image, a positive multiple of the scale.
    ///   - width: W of the high-resolution image, a positive multiple of the scale.
    ///   - channels: channels of both images, at least one.
    public init(scale: Int, kernelSize: Int, height: Int, width: Int, channels: Int) {
        precondition(channels > 0, "an image needs at least one channel")
        shape = DegradationShape(scale: scale, kernelSize: kernelSize, height: height, width: width)
        self.channels = channels
        var geometry = shape.kernels(channels: channels)
        table = Tensor(shape: [dkp_quadratic_table_count(scale, kernelSize)])
        linear = Tensor(shape: [kernelSize, kernelSize])
        scratch = Tensor(shape: [dkp_quadratic_scratch(&geometry)])
    }

    /// The form of `image` `[channels, H, W]`, x, and `observed` `[channels, H/s, W/s]`, y.
    public init(image: Tensor<Float>, observed: Tensor<Float>, scale: Int, kernelSize: Int) {
        precondition(image.shape.count == 3, "an image of shape \(image.shape), expected [channels, height, width]")
        self.init(
            scale: scale, kernelSize: kernelSize, height: image.shape[1], width: image.shape[2],
            channels: image.shape[0])
        update(image: image, observed: observed)
    }

    /// n, the kernels' number of rows and columns.
    public var kernelSize: Int { shape.kernelSize }
    /// The number of values of y over which the loss sums.
    public var count: Int { channels * shape.lowHeight * shape.lowWidth }
    /// The sum of squares of y: the loss of the kernel that is zero everywhere.
    public var signalEnergy: Double { constant }

    /// Replaces the form by that of `image` `[channels, H, W]` and `observed` `[channels, H/s, W/s]`, without allocating.
    public mutating func update(image: Tensor<Float>, observed: Tensor<Float>) {
        precondition(
            shape.channels(ofImage: image) == channels && shape.channels(ofLowResolution: observed) == channels,
            "images of \(image.shape) and \(observed.shape), expected \(channels) channels")
        var geometry = shape.kernels(channels: channels)
        constant = withMutableElements(&table) { table in
            withMutableElements(&linear) { linear in
                withMutableElements(&scratch) { scratch in
                    withElements(image) { image in
                        withElements(observed) { observed in
                            dkp_quadratic_build(&geometry, image, observed, table, linear, scratch)
                        }
                    }
                }
            }
        }
    }

    /// || y - (x (*) k)|s ||^2 for `kernel` `[n, n]`.
    public func loss(of kernel: Tensor<Float>) -> Double {
        shape.check(kernel: kernel)
        return withElements(table) { table in
            withElements(linear) { linear in
                withElements(kernel) { kernel in
                    dkp_quadratic_loss(shape.scale, shape.kernelSize, table, linear, constant, kernel)
                }
            }
        }
    }

    /// The losses of `kernels` `[count, n, n]`, several at a time.
    public func lossBatch(_ kernels: Tensor<Float>) -> [Double] {
        var losses = [Double](repeating: 0, count: kernels.shape.first ?? 0)
        lossBatch(kernels, into: &losses)
        return losses
    }

    /// Overwrites `losses` with the losses of `kernels` `[losses.count, n, n]`, several at a time, without allocating.
    public func lossBatch(_ kernels: Tensor<Float>, into losses: inout [Double]) {
        precondition(
            kernels.shape.count == 3 && kernels.shape[0] == losses.count && kernels.shape[1] == kernelSize
                && kernels.shape[2] == kernelSize,
            "kernels of shape \(kernels.shape), expected [\(losses.count), \(kernelSize), \(kernelSize)]")
        losses.withUnsafeMutableBufferPointer { losses in
            guard let target = losses.baseAddress, !losses.isEmpty else { return }
            withElements(table) { table in
                withElements(linear) { linear in
                    withElements(kernels) { kernels in
                        dkp_quadratic_losses(
                            shape.scale, shape.kernelSize, table, linear, constant, kernels, losses.count, target)
                    }
                }
            }
        }
    }

    /// The gradient of the loss with respect to `kernel` `[n, n]`: 2 (Gk - b), `[n, n]`.
    public func gradient(at kernel: Tensor<Float>) -> Tensor<Float> {
        var gradient = Tensor<Float>(shape: [kernelSize, kernelSize])
        self.gradient(at: kernel, into: &gradient)
        return gradient
    }

    /// Overwrites `gradient` `[n, n]` with the gradient of the loss at `kernel`, without allocating; returns the loss.
    @discardableResult
    public func gradient(at kernel: Tensor<Float>, into gradient: inout Tensor<Float>) -> Double {
        shape.check(kernel: kernel)
        shape.check(kernel: gradient)
        return withMutableElements(&gradient) { gradient in
            withElements(table) { table in
                withElements(linear) { linear in
                    withElements(kernel) { kernel in
                        dkp_quadratic_gradient(
                            shape.scale, shape.kernelSize, table, linear, constant, kernel, gradient)
                    }
                }
            }
        }
    }

    /// The form divided by ``count``, written out: G `[n n, n n]`, b and c.
    public var equations: KernelNormalEquations {
        let (scale, size) = (shape.scale, shape.kernelSize)
        let taps = size * size
        let factor = 1 / Double(count)
        var matrix = Tensor<Double>(shape: [taps, taps])
        // Rows of correlations lie as the C kernels store them: [row phase][column phase][2 n - 1][stride].
        let side = 2 * size - 1
        let stride = dkp_quadratic_table_stride(size)
        matrix.withUnsafeMutableBufferPointer { matrix in
            table.withUnsafeBufferPointer { table in
                for row in 0..<size {
                    for column in 0..<size {
                        let phase = row % scale * scale + column % scale
                        let target = (row * size + column) * taps
                        for other in 0..<size {
                            let source = (phase * side + size - 1 - row + other) * stride + size - 1 - column
                            for index in 0..<size {
                                matrix[target + other * size + index] = factor * table[source + index]
                            }
                        }
                    }
                }
            }
        }
        return KernelNormalEquations(
            kernelSize: size, matrix: matrix, vector: linear.map { factor * $0 }.reshaped([taps]),
            constant: factor * constant)
    }
}
