import Degradation
import Jobs
public import KernelFamilies
public import Imaging
import KernelPrior
public import Tensors

/// Makes a low-resolution image of a high-resolution one by the forward model, equation (1): for experiments and
/// demonstrations.
public struct SyntheticDegradation: Sendable {
    /// The scale factor, 1, 2, 3, 4 or 8.
    public let scale: Int
    /// The blur kernel `[n, n]`, n odd.
    public let kernel: Tensor<Double>
    /// The standard deviation of the Gaussian noise, in units of the samples' range [0, 1].
    public let noise: Double
    /// What the noise is drawn from.
    public let seed: UInt64

    /// Degrades with a given kernel.
    /// - Throws: ``RestorationError`` if a value is out of range.
    public init(scale: Int, kernel: Tensor<Double>, noise: Double = 0, seed: UInt64 = 0) throws {
        guard RestorationSettings.scalesOfKnownBlur.contains(scale) else {
            throw RestorationError(.badSettings, "scale is \(scale)", remedy: "give 1, 2, 3, 4 or 8")
        }
        guard (0...1).contains(noise) else {
            throw RestorationError(
                .badSettings, "noise is \(noise)", remedy: "give a standard deviation from 0 to 1 (1 is full white)")
        }
        guard kernel.shape.count == 2, kernel.shape[0] == kernel.shape[1], kernel.shape[0] % 2 == 1,
            kernel.shape[0] <= 63
        else {
            throw RestorationError(
                .badInput, "a kernel of shape \(kernel.shape)", remedy: "give a square kernel of an odd size up to 63")
        }
        self.scale = scale
        self.kernel = kernel
        self.noise = noise
        self.seed = seed
    }

    /// Degrades with a kernel drawn from a family.
    /// - Throws: as ``init(scale:kernel:noise:seed:)``, and `KernelPriorError`.
    public init(
        scale: Int, family: KernelFamily, centre: KernelCentre = .registered, noise: Double = 0, seed: UInt64 = 0
    ) throws {
        let prior = try KernelPrior(settings: KernelPriorSettings(family: family, scale: scale, centre: centre))
        var stream = RandomStream(seed: seed, name: "degrade/kernel")
        let kernel = prior.kernel(of: prior.draw(from: &stream))
        try self.init(scale: scale, kernel: kernel.map { Double($0) }, noise: noise, seed: seed)
    }

    /// The degraded image, cut off at the right and the bottom to a multiple of the scale before. Alpha is blurred and
    /// subsampled with the colours, of which those that it hides do not count; it gets no noise. Values are not rounded: writing does that, in the image's depth.
    /// - Throws: ``RestorationError`` for an image smaller than one low-resolution pixel.
    public func apply(to image: Image) throws -> Image {
        let (height, width) = (image.height / scale * scale, image.width / scale * scale)
        guard height > 0, width > 0 else {
            throw RestorationError(
                .badInput, "an image of \(image.width) x \(image.height) is too small for scale \(scale)")
        }
        let image = image.fillingHiddenColour().cropped(height: height, width: width)
        let model = DegradationOperator(scale: scale, kernelSize: kernel.shape[0], height: height, width: width)
        let kernel = kernel.map { Float($0) }
        var stream = RandomStream(seed: seed, name: "degrade/noise")
        let blurred = model.apply(image: image.colour, kernel: kernel)
        let colour = noise > 0 ? blurred.map { $0 + Float(noise * stream.normal()) } : blurred
        let alpha = image.alpha.map { plane in
            model.apply(image: plane.reshaped([1, height, width]), kernel: kernel)
                .reshaped([height / scale, width / scale])
        }
        return Image(colour: colour, alpha: alpha, bitDepth: image.bitDepth, metadata: image.metadata)
    }
}
