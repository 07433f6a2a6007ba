import Foundation
public import KernelFamilies
public import Tensors

/// The prior over kernels: from standard-normal latents to kernels of the families of section 3 of the paper.
public struct KernelPrior: Sendable, Equatable {
    /// The ranges of the latents.
    public let settings: KernelPriorSettings

    /// The prior with these settings. Throws ``KernelPriorError`` if one is out of range.
    public init(settings: KernelPriorSettings) throws(KernelPriorError) {
        try settings.validate()
        self.settings = settings
    }

    /// The number n of rows and columns of every kernel.
    public var kernelSize: Int { settings.kernelSize }

    /// Draws a latent from the prior; its category too where the family is `auto`.
    public func draw(from stream: inout RandomStream) -> KernelLatent {
        switch settings.family {
        case .gaussian, .free: draw(.gaussian, from: &stream)
        case .motion: draw(.motion, from: &stream)
        case .auto: draw(stream.uniform() < settings.gaussianShare ? .gaussian : .motion, from: &stream)
        }
    }

    /// Draws a latent of one category from the prior.
    public func draw(_ category: KernelCategory, from stream: inout RandomStream) -> KernelLatent {
        var normals = [Double](repeating: 0, count: KernelLatent.count(for: category))
        for index in normals.indices { normals[index] = stream.normal() }
        return KernelLatent(category: category, normals: normals)
    }

    /// The kernel `[n, n]` of a latent: non-negative, sum 1, centred as the settings say.
    public func kernel(of latent: KernelLatent) -> Tensor<Float> {
        let size = kernelSize
        var kernel = Tensor<Float>(shape: [size, size])
        kernel.withUnsafeMutableBufferPointer { result in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: size * size) { exact in
                switch latent.category {
                case .gaussian:
                    gaussian(of: latent).render(
                        into: exact, size: size, scale: settings.scale, centre: settings.centrePosition)
                case .motion:
                    motion(of: latent).render(into: exact, size: size, centre: settings.centrePosition)
                case .free:
                    preconditionFailure("a free kernel has no latent")
                }
                for index in 0..<result.count { result[index] = Float(exact[index]) }
            }
        }
        return kernel
    }

    /// The Gaussian of a latent of category `gaussian`.
    public func gaussian(of latent: KernelLatent) -> GaussianKernel {
        precondition(latent.category == .gaussian, "the latent is that of a \(latent.category) kernel")
        let z = latent.normals
        let logarithmic = settings.varianceSpread == .logUniform
        let double = atan2(z[GaussianLatent.orientation.lowerBound + 1], z[GaussianLatent.orientation.lowerBound])
        return GaussianKernel(
            variance1: NormalDistribution.value(
                z[GaussianLatent.firstVariance], in: settings.gaussianVariances, logarithmic: logarithmic),
            variance2: NormalDistribution.value(
                z[GaussianLatent.secondVariance], in: settings.gaussianVariances, logarithmic: logarithmic),
            angle: double < 0 ? double / 2 + .pi : double / 2)
    }

    /// The camera path of a latent of category `motion`.
    public func motion(of latent: KernelLatent) -> MotionKernel {
        precondition(latent.category == .motion, "the latent is that of a \(latent.category) kernel")
        let z = latent.normals
        let direction = atan2(z[MotionLatent.direction.lowerBound + 1], z[MotionLatent.direction.lowerBound])
        if isLine(latent) {
            let length = NormalDistribution.value(z[MotionLatent.lineLength], in: settings.lineLengths)
            return MotionKernel(length: length, direction: direction)
        }
        var motion = MotionKernel(
            length: NormalDistribution.value(z[MotionLatent.length], in: settings.motionLengths), direction: direction)
        let anxiety = NormalDistribution.value(
            z[MotionLatent.anxiety], in: settings.motionAnxieties, logarithmic: true)
        let points = Double(MotionKernel.pointCount)
        let deviation = anxiety * 10 * NormalDistribution.cumulative(z[MotionLatent.perturbation])
        motion.pull = anxiety * 0.7 * NormalDistribution.cumulative(z[MotionLatent.pull])
        // The turns of the points in a segment add up to a normal number too, their variances summed.
        let spread = deviation * (points / Double(MotionLatent.segmentCount)).squareRoot()
        motion.turns = z[MotionLatent.turns].map { spread * $0 }

        let presence = min(1, 0.1 * anxiety * points / Double(MotionLatent.shakeCount))
        for index in 0..<MotionLatent.shakeCount {
            let first = MotionLatent.shakes.lowerBound + 3 * index
            guard NormalDistribution.cumulative(z[first]) < presence else { continue }
            // The impulse is twice the velocity, reversed up to half a radian either way.
            let slant = NormalDistribution.cumulative(z[first + 2]) - 0.5
            motion.shakes.append(
                MotionKernel.Shake(
                    time: NormalDistribution.cumulative(z[first + 1]),
                    turn: atan2(-2 * sin(slant), 1 - 2 * cos(slant))))
        }
        return motion
    }

    /// Whether a motion latent is a straight line.
    func isLine(_ latent: KernelLatent) -> Bool {
        latent.category == .motion
            && NormalDistribution.cumulative(latent.normals[MotionLatent.lineChoice]) < settings.lineShare
    }
}
