internal import CImagingKernels
public import Tensors

/// The forward model without its noise, equation (1): blur with a kernel, keep every s-th row and column.
///
///     y[c][i][j] = sum over u, v of k[u][v] x[c][(s i + u - n/2) mod H][(s j + v - n/2) mod W]
///
/// that is, cross-correlation with a circular boundary, subsampled from index 0, each channel on its own. The operator is
/// linear in the image and in the kernel, and has a transpose with respect to each.
///
/// Images are `[channels, height, width]` with any number of channels, kernels `[n, n]`. All values are in the units of
/// the image. The versions with `into:` allocate nothing once they have seen the largest number of channels; they are
/// `mutating` because they use scratch memory that the operator owns. Results do not depend on the number of threads.
public struct DegradationOperator: Sendable {
    private let shape: DegradationShape
    private var scratch: Tensor<Float>

    /// An operator for high-resolution images of the given size.
    ///
    /// - Parameters:
    ///   - scale: s, 1...8.
    ///   - kernelSize: n, odd, 1...63. The kernel may be larger
    ///     than the image: it wraps around.
    ///   - height: H of the high-resolution image, a positive multiple of the scale.
    ///   - width: W of the high-resolution image, a positive multiple of the scale.
    public init(scale: Int, kernelSize: Int, height: Int, width: Int) {
        self.init(shape: DegradationShape(scale: scale, kernelSize: kernelSize, height: height, width: width))
    }

    private init(shape: DegradationShape) {
        self.shape = shape
        scratch = Tensor(shape: [0])
    }

    /// s.
    public var scale: Int { shape.scale }
    /// n, the kernel's number of rows and columns.
    public var kernelSize: Int { shape.kernelSize }
    /// H, rows of the high-resolution image.
    public var height: Int { shape.height }
    /// W, columns of the high-resolution image.
    public var width: Int { shape.width }

    // MARK: The operator

    /// The low-resolution image `[channels, H/s, W/s]` of `image` `[channels, H, W]` under `kernel` `[n, n]`.
    public func apply(image: Tensor<Float>, kernel: Tensor<Float>) -> Tensor<Float> {
        let channels = shape.channels(ofImage: image)
        var result = Tensor<Float>(shape: [channels, shape.lowHeight, shape.lowWidth])
        var copy = Self(shape: shape)
        copy.apply(image: image, kernel: kernel, into: &result)
        return result
    }

    /// Overwrites `output` `[channels, H/s, W/s]` with the low-resolution image of `image` under `kernel`.
    public mutating func apply(image: Tensor<Float>, kernel: Tensor<Float>, into output: inout Tensor<Float>) {
        let channels = shape.channels(ofImage: image)
        shape.check(kernel: kernel)
        precondition(shape.channels(ofLowResolution: output) == channels, "the images' numbers of channels differ")
        var geometry = shape.kernels(channels: channels)
        scratch.reserveScratch(dkp_degrade_scratch(&geometry))
        withMutableElements(&scratch) { scratch in
            withMutableElements(&output) { output in
                withElements(image) { image in
                    withElements(kernel) { kernel in dkp_degrade(&geometry, image, kernel, output, scratch) }
                }
            }
        }
    }

    // MARK: Its transposes

    /// The transpose with respect to the image: `[channels, H, W]` from `residual` `[channels, H/s, W/s]`.
    ///
    /// For a loss L(y) with y = ``apply(image:kernel:)``, this is dL/dx when `residual` is dL/dy.
    public func adjointImage(residual: Tensor<Float>, kernel: Tensor<Float>) -> Tensor<Float> {
        let channels = shape.channels(ofLowResolution: residual)
        var result = Tensor<Float>(shape: [channels, shape.height, shape.width])
        var copy = Self(shape: shape)
        copy.adjointImage(residual: residual, kernel: kernel, into: &result)
        return result
    }

    /// Overwrites `gradient` `[channels, H, W]` with the transpose with respect to the image, applied to `residual`.
    public mutating func adjointImage(
        residual: Tensor<Float>, kernel: Tensor<Float>, into gradient: inout Tensor<Float>
    ) {
        let channels = shape.channels(ofLowResolution: residual)
        shape.check(kernel: kernel)
        precondition(shape.channels(ofImage: gradient) == channels, "the images' numbers of channels differ")
        var geometry = shape.kernels(channels: channels)
        scratch.reserveScratch(dkp_degrade_adjoint_image_scratch(&geometry))
        withMutableElements(&scratch) { scratch in
            withMutableElements(&gradient) { gradient in
                withElements(residual) { residual in
                    withElements(kernel) { kernel in
                        dkp_degrade_adjoint_image(&geometry, residual, kernel, gradient, scratch)
                    }
                }
            }
        }
    }

    /// The transpose with respect to the kernel: `[n, n]` from `residual` `[channels, H/s, W/s]` and the image.
    ///
    /// For a loss L(y) with y = ``apply(image:kernel:)``, this is dL/dk when `residual` is dL/dy.
    public func adjointKernel(residual: Tensor<Float>, image: Tensor<Float>) -> Tensor<Float> {
        var result = Tensor<Float>(shape: [shape.kernelSize, shape.kernelSize])
        var copy = Self(shape: shape)
        copy.adjointKernel(residual: residual, image: image, into: &result)
        return result
    }

    /// Overwrites `gradient` `[n, n]` with the transpose with respect to the kernel, applied to `residual`.
    public mutating func adjointKernel(
        residual: Tensor<Float>, image: Tensor<Float>, into gradient: inout Tensor<Float>
    ) {
        let channels = shape.channels(ofImage: image)
        precondition(shape.channels(ofLowResolution: residual) == channels, "the images' numbers of channels differ")
        shape.check(kernel: gradient)
        var geometry = shape.kernels(channels: channels)
        scratch.reserveScratch(dkp_degrade_adjoint_kernel_scratch(&geometry))
        withMutableElements(&scratch) { scratch in
            withMutableElements(&gradient) { gradient in
                withElements(residual) { residual in
                    withElements(image) { image in
                        dkp_degrade_adjoint_kernel(&geometry, residual, image, gradient, scratch)
                    }
                }
            }
        }
    }
}
