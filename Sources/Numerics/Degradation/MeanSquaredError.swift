internal import CImagingKernels
public import Tensors

/// The mean of (image - target)^2 over all elements of two tensors of the same shape, summed in double precision.
public func meanSquaredError(_ image: Tensor<Float>, _ target: Tensor<Float>) -> Double {
    precondition(image.shape == target.shape, "images of shapes \(image.shape) and \(target.shape)")
    return withElements(image) { first in
        withElements(target) { second in dkp_mean_squared_error(first, second, image.count, nil) }
    }
}

/// The mean of (image - target)^2, and its gradient with respect to `image` written over `gradient`.
///
/// All three tensors have the same shape, with at least one element. Nothing is allocated.
public func meanSquaredError(
    _ image: Tensor<Float>, _ target: Tensor<Float>, gradient: inout Tensor<Float>
) -> Double {
    precondition(
        image.shape == target.shape && image.shape == gradient.shape,
        "images of shapes \(image.shape) and \(target.shape), a gradient of \(gradient.shape)")
    let count = image.count
    return withMutableElements(&gradient) { gradient in
        withElements(image) { first in
            withElements(target) { second in dkp_mean_squared_error(first, second, count, gradient) }
        }
    }
}
