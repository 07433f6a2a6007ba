internal import CImagingKernels
import Tensors

/// The extents of one restoration problem, checked once; what the C kernels are told.
struct DegradationShape: Sendable, Equatable {
    /// s, 1...8.
    let scale: Int
    /// n, odd, 1...63.
    let kernelSize: Int
    /// H, a multiple of s.
    let height: Int
    /// W, a multiple of s.
    let width: Int

    init(scale: Int, kernelSize: Int, height: Int, width: Int) {
        precondition((1...8).contains(scale), "scale \(scale) is outside 1...8")
        precondition(
            (1...63).contains(kernelSize) && kernelSize % 2 == 1, "kernel size \(kernelSize) is not odd and in 1...63")
        precondition(
            height > 0 && width > 0 && height % scale == 0 && width % scale == 0,
            "the size \(height) x \(width) of a high-resolution image is not a positive multiple of scale \(scale)")
        self.scale = scale
        self.kernelSize = kernelSize
        self.height = height
        self.width = width
    }

    var lowHeight: Int { height / scale }
    var lowWidth: Int { width / scale }

    func kernels(channels: Int) -> dkp_degradation_shape {
        dkp_degradation_shape(
            channels: channels, height: height, width: width, scale: scale, kernel_size: kernelSize)
    }

    /// The channels of a high-resolution image `[channels, H, W]`.
    func channels(ofImage image: Tensor<Float>) -> Int {
        precondition(
            image.isPlanes(height: height, width: width),
            "a high-resolution image of shape \(image.shape), expected [channels, \(height), \(width)]")
        return image.shape[0]
    }

    /// The channels of a low-resolution image `[channels, H/s, W/s]`.
    func channels(ofLowResolution image: Tensor<Float>) -> Int {
        precondition(
            image.isPlanes(height: lowHeight, width: lowWidth),
            "a low-resolution image of shape \(image.shape), expected [channels, \(lowHeight), \(lowWidth)]")
        return image.shape[0]
    }

    func check(kernel: Tensor<Float>) {
        precondition(
            kernel.shape.count == 2 && kernel.shape[0] == kernelSize && kernel.shape[1] == kernelSize,
            "a kernel of shape \(kernel.shape), expected [\(kernelSize), \(kernelSize)]")
    }
}

extension Tensor {
    /// Whether the shape is `[at least one channel, height, width]`; compares without making an array.
    func isPlanes(height: Int, width: Int) -> Bool {
        shape.count == 3 && shape[0] > 0 && shape[1] == height && shape[2] == width
    }

    /// Makes room for `count` elements of scratch memory; allocates only the first time that so many are asked for.
    mutating func reserveScratch(_ count: Int) {
        if self.count < count { self = Tensor(shape: [count]) }
    }
}

/// Runs `body` with the elements of tensors; the C kernels' one way to memory. The pointers must not outlive the call.
func withElements<Scalar, Result>(
    _ tensor: Tensor<Scalar>, _ body: (UnsafePointer<Scalar>) -> Result
) -> Result {
    tensor.withUnsafeBufferPointer { buffer in
        guard let address = buffer.baseAddress else { preconditionFailure("a tensor always has memory") }
        return body(address)
    }
}

/// As above, for writing.
func withMutableElements<Scalar, Result>(
    _ tensor: inout Tensor<Scalar>, _ body: (UnsafeMutablePointer<Scalar>) -> Result
) -> Result {
    tensor.withUnsafeMutableBufferPointer { buffer in
        guard let address = buffer.baseAddress else { preconditionFailure("a tensor always has memory") }
        return body(address)
    }
}
