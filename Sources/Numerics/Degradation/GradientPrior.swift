internal import CImagingKernels
public import Tensors

/// The hyper-Laplacian prior on differences of neighbouring pixels: the sum over four filters, channels and pixels of
/// (|difference| + 1e-8)^0.67.
///
/// The filters subtract from each pixel its neighbour above, above left, left and below left; the border is reflected
/// (without repeating it). The power is computed in single precision, to better than 1e-6; the sum in double. Where a
/// difference is exactly zero its gradient is taken as zero.
public struct GradientPrior: Sendable {
    private let height: Int
    private let width: Int
    private var scratch: Tensor<Float>
    private var rowSums: Tensor<Double>

    /// A prior for images of `height` rows and `width` columns, each at least 2; any number of channels.
    public init(height: Int, width: Int) {
        precondition(height >= 2 && width >= 2, "differences need at least 2 x 2 pixels, not \(height) x \(width)")
        self.height = height
        self.width = width
        scratch = Tensor(shape: [dkp_gradient_prior_scratch(height, width)])
        rowSums = Tensor(shape: [height])
    }

    /// The prior's value for `image` `[channels, height, width]`.
    public mutating func value(of image: Tensor<Float>) -> Double {
        evaluate(image, weight: 0, gradient: nil)
    }

    /// The prior's value for `image`; `weight` times its gradient is added to `gradient`, of the image's shape.
    ///
    /// The value itself is not weighted. Nothing is allocated.
    public mutating func value(
        of image: Tensor<Float>, addingGradientTo gradient: inout Tensor<Float>, weight: Double = 1
    ) -> Double {
        precondition(gradient.shape == image.shape, "a gradient of \(gradient.shape) for an image of \(image.shape)")
        return withMutableElements(&gradient) { evaluate(image, weight: weight, gradient: $0) }
    }

    private mutating func evaluate(
        _ image: Tensor<Float>, weight: Double, gradient: UnsafeMutablePointer<Float>?
    ) -> Double {
        precondition(
            image.isPlanes(height: height, width: width),
            "an image of shape \(image.shape), expected [channels, \(height), \(width)]")
        let (height, width) = (height, width)
        return withMutableElements(&rowSums) { sums in
            withMutableElements(&scratch) { scratch in
                withElements(image) {
                    dkp_gradient_prior(image.shape[0], height, width, $0, Float(weight), gradient, scratch, sums)
                }
            }
        }
    }
}
