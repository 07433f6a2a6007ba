import CKernelPriorKernels
import Foundation
public import Tensors

/// An anisotropic Gaussian blur with covariance Q diag(variance1, variance2) Q', Q the rotation by an angle.
public struct GaussianKernel: Sendable, Equatable {
    /// The variance along the first axis of the rotated frame, in squared pixels; positive.
    public var variance1: Double
    /// The variance along the second axis; positive.
    public var variance2: Double
    /// The rotation in radians, from the columns' axis towards the rows'.
    public var angle: Double

    /// A Gaussian with these variances (squared pixels) and angle (radians).
    public init(variance1: Double, variance2: Double, angle: Double) {
        self.variance1 = variance1
        self.variance2 = variance2
        self.angle = angle
    }

    /// The kernel `[size, size]`, sum 1, in double precision, as the data sets define it: the density with its mean at
    /// floor(size/2) + (scale - size mod 2)/2, cut off at the border, then moved by a cubic-spline shift so that its
    /// centre of mass goes to `centre` on both axes, clipped at zero and normalised.
    ///
    /// The shift drops what leaves the grid and nothing replaces it, so that the centre of mass of a wide kernel misses
    /// `centre` by a few hundredths of a pixel: that is part of the definition.
    /// - Parameters:
    ///   - size: rows and columns, 2 to 63.
    ///   - scale: the scale factor.
    ///   - centre: the wanted centre of mass in pixels.
    public func rendered(size: Int, scale: Int, centre: Double) -> Tensor<Double> {
        var kernel = Tensor<Double>(shape: [size, size])
        kernel.withUnsafeMutableBufferPointer { render(into: $0, size: size, scale: scale, centre: centre) }
        return kernel
    }

    func render(into kernel: UnsafeMutableBufferPointer<Double>, size: Int, scale: Int, centre: Double) {
        precondition((2...63).contains(size), "a Gaussian kernel has 2 to 63 rows, not \(size)")
        precondition(kernel.count == size * size, "the buffer must hold the kernel")
        guard let base = kernel.baseAddress else { return }
        let cosine = cos(angle)
        let sine = sin(angle)
        let xx = cosine * cosine / variance1 + sine * sine / variance2
        let yy = sine * sine / variance1 + cosine * cosine / variance2
        let xy = cosine * sine * (1 / variance1 - 1 / variance2)
        let mean = Double(size / 2) + 0.5 * Double(scale - size % 2)
        dkp_gaussian_kernel(base, size, mean, centre, xx, xy, yy)
    }
}
