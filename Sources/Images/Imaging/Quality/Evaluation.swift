import Glibc
public import Tensors

/// How near a restored image comes to its reference, by the measures of the super-resolution literature.
public struct Evaluation: Sendable, Equatable {
    /// Peak signal-to-noise ratio of luma in decibels; infinite for equal images.
    public let psnr: Double
    /// Mean structural similarity of luma, at most 1.
    public let ssim: Double

    /// An evaluation with these measures.
    public init(psnr: Double, ssim: Double) {
        self.psnr = psnr
        self.ssim = ssim
    }
}

/// Measures a restored image against its reference: both rounded to 8 bits, luma, `scale`^2 pixels cropped from every
/// side, peak 255. Alpha is left out; a gray image counts as R = G = B.
///
/// - Throws: ``ImageError`` with code `notComparable` where the sizes differ, or less than 11 x 11 pixels remain.
public func evaluate(restored: Image, reference: Image, scale: Int) throws(ImageError) -> Evaluation {
    try evaluate(restored: restored.colour, reference: reference.colour, scale: scale)
}

/// Measures restored colour planes `[1 or 3, height, width]` in [0, 1] against those of a reference, as
/// ``evaluate(restored:reference:scale:)-(Image,_,_)`` does.
public func evaluate(
    restored: Tensor<Float>, reference: Tensor<Float>, scale: Int
) throws(ImageError) -> Evaluation {
    precondition(scale >= 1, "a scale is at least 1, not \(scale)")
    let (height, width) = (restored.shape[1], restored.shape[2])
    guard restored.shape.dropFirst() == reference.shape.dropFirst() else {
        throw .notComparable(
            "evaluation",
            "the restored image is \(width) x \(height) pixels, the reference \(reference.shape[2]) x "
                + "\(reference.shape[1]); give the reference of this image")
    }
    let border = scale * scale
    guard min(height, width) - 2 * border >= 11 else {
        throw .notComparable(
            "evaluation",
            "of \(width) x \(height) pixels, less than 11 x 11 remain after cropping \(border) from every side; "
                + "compare larger images")
    }
    let first = cropped(luma(of: restored.roundedToEightBits()), by: border)
    let second = cropped(luma(of: reference.roundedToEightBits()), by: border)
    return Evaluation(psnr: psnr(first, second, peak: 255), ssim: ssim(first, second, peak: 255))
}

/// Peak signal-to-noise ratio, 10 log10(peak^2 / mean squared error), in decibels; infinite for equal tensors.
///
/// Both tensors have the same shape.
public func psnr(_ first: Tensor<Double>, _ second: Tensor<Double>, peak: Double) -> Double {
    precondition(first.shape == second.shape, "shapes differ: \(first.shape) and \(second.shape)")
    let squares = first.withUnsafeBufferPointer { first in
        second.withUnsafeBufferPointer { second in
            var sum = 0.0
            for index in first.indices {
                let difference = first[index] - second[index]
                sum += difference * difference
            }
            return sum
        }
    }
    return 10 * log10(peak * peak * Double(first.count) / squares)
}

/// Kernel PSNR: 10 log10(1 / mean squared error) of two kernels `[n, n]` that sum to 1, in decibels; infinite for equal
/// kernels.
///
/// - Throws: ``ImageError`` with code `notComparable` where the sizes differ.
public func kernelPSNR(_ kernel: Tensor<Float>, _ reference: Tensor<Float>) throws(ImageError) -> Double {
    guard kernel.shape == reference.shape else {
        throw .notComparable(
            "kernel evaluation",
            "the kernel has shape \(kernel.shape), the reference \(reference.shape); both must have the same")
    }
    return psnr(kernel.map(Double.init), reference.map(Double.init), peak: 1)
}

private func cropped(_ plane: Tensor<Double>, by border: Int) -> Tensor<Double> {
    let (height, width) = (plane.shape[0] - 2 * border, plane.shape[1] - 2 * border)
    var result = Tensor<Double>(shape: [height, width])
    result.withUnsafeMutableBufferPointer { result in
        plane.withUnsafeBufferPointer { plane in
            for y in 0..<height {
                for x in 0..<width { result[y * width + x] = plane[(y + border) * (width + 2 * border) + x + border] }
            }
        }
    }
    return result
}
