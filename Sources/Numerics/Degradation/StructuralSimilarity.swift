internal import CImagingKernels
public import Tensors

/// Structural similarity (SSIM; Wang et al., 2004) to one fixed image, as a loss with a gradient.
///
/// Window 11 x 11, Gaussian with sigma 1.5, zero padding of 5 (the window is not renormalised at the border),
/// C1 = 0.01^2, C2 = 0.03^2 for images in [0, 1]; mean over all pixels and channels. In double precision throughout.
///
/// This is what an image is optimised for; the measure of a finished image, on luma and without padding, is another.
public struct StructuralSimilarity: Sendable {
    private let target: Tensor<Float>
    private let statistics: Tensor<Double>
    private var scratch: Tensor<Double>

    /// Similarity to `target` `[channels, height, width]`, values in [0, 1].
    public init(target: Tensor<Float>) {
        precondition(
            target.shape.count == 3 && target.count > 0,
            "an image of shape \(target.shape), expected [channels, height, width]")
        let (channels, height, width) = (target.shape[0], target.shape[1], target.shape[2])
        var statistics = Tensor<Double>(shape: [dkp_ssim_statistics(channels, height, width)])
        var scratch = Tensor<Double>(shape: [dkp_ssim_scratch(channels, height, width)])
        withElements(target) { target in
            withMutableElements(&statistics) { statistics in
                withMutableElements(&scratch) { scratch in
                    dkp_ssim_prepare(channels, height, width, target, statistics, scratch)
                }
            }
        }
        self.target = target
        self.statistics = statistics
        self.scratch = scratch
    }

    /// The mean similarity of `image`, of the target's shape; at most 1, and 1 for the target itself.
    public mutating func similarity(of image: Tensor<Float>) -> Double {
        evaluate(image, gradientScale: 0, gradient: nil)
    }

    /// 1 - similarity, and its gradient with respect to `image` written over `gradient` (both of the target's shape).
    ///
    /// Nothing is allocated.
    public mutating func loss(of image: Tensor<Float>, gradient: inout Tensor<Float>) -> Double {
        precondition(
            gradient.shape == target.shape, "a gradient of shape \(gradient.shape), expected \(target.shape)")
        return withMutableElements(&gradient) { 1 - evaluate(image, gradientScale: -1, gradient: $0) }
    }

    private mutating func evaluate(
        _ image: Tensor<Float>, gradientScale: Double, gradient: UnsafeMutablePointer<Float>?
    ) -> Double {
        precondition(image.shape == target.shape, "an image of shape \(image.shape), expected \(target.shape)")
        let (target, statistics) = (target, statistics)
        let (channels, height, width) = (target.shape[0], target.shape[1], target.shape[2])
        return withMutableElements(&scratch) { scratch in
            withElements(image) { image in
                withElements(target) { target in
                    withElements(statistics) { statistics in
                        dkp_ssim(
                            channels, height, width, image, target, statistics, gradientScale, gradient, scratch)
                    }
                }
            }
        }
    }
}
