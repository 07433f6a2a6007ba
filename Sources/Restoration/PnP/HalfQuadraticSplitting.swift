import Checkpointing
import Degradation
import Diffusion
import Imaging
import KernelPrior
import Tensors

/// Restores an image with a trained denoiser and a kernel, and refines the kernel on the way (DPIR: Zhang et al. 2021).
///
/// A round begins with the bicubic enlargement. Each of its steps, at a lower noise level q than the last, adds some noise
/// to the image, denoises it at q and then makes it consistent with the data; where the noise is low, the kernel follows the
/// denoised image.
final class HalfQuadraticSplitting {
    private let settings: PnPSettings
    private let observed: Tensor<Float>
    private let denoiser: Denoiser
    private let consistency: ProximalConsistency
    private var degradation: DegradationOperator
    private var builder: KernelEquationsBuilder
    private let centre: Double
    private let levels: [Double]
    private var blurred: Tensor<Float>

    /// The image that the next step denoises, `[channels, height, width]`.
    private(set) var image: Tensor<Float>
    /// The kernel, `[n, n]`.
    private(set) var kernel: Tensor<Float>
    private var equations: KernelNormalEquations?
    private let refinesKernel: Bool
    private let seed: UInt64

    /// - Parameters:
    ///   - observed: y, `[channels, h, w]`.
    ///   - denoiser: of images of the high resolution.
    ///   - kernel: to begin with, `[n, n]`.
    ///   - centre: where the kernel's centre of mass belongs on both axes.
    init(
        observed: Tensor<Float>, scale: Int, denoiser: Denoiser, kernel: Tensor<Float>, centre: Double,
        refinesKernel: Bool, seed: UInt64, settings: PnPSettings
    ) throws {
        self.settings = settings
        self.observed = observed
        self.denoiser = denoiser
        self.kernel = kernel
        self.centre = centre
        self.refinesKernel = refinesKernel
        self.seed = seed
        levels = settings.levels
        let size = kernel.shape[0]
        consistency = try ProximalConsistency(observed: observed, scale: scale, kernelSize: size)
        degradation = DegradationOperator(
            scale: scale, kernelSize: size, height: denoiser.height, width: denoiser.width)
        builder = KernelEquationsBuilder(observed: observed, scale: scale, kernelSize: size)
        blurred = Tensor(shape: observed.shape)
        image = Tensor(shape: [observed.shape[0], denoiser.height, denoiser.width])
        beginRound()
    }

    private func beginRound() {
        image = observed.resampledBicubic(height: denoiser.height, width: denoiser.width).clipped
        equations = nil
    }

    /// One step of a round.
    /// - Parameters:
    ///   - index: of the step in its round, from 0.
    ///   - round: of the round, from 0.
    /// - Returns: the mean squared error of the denoised image under the kernel, and the kernel's loss where it was refined.
    func advance(_ index: Int, ofRound round: Int) throws -> (imageLoss: Double, kernelLoss: Double) {
        if index == 0 { beginRound() }
        let level = levels[index]
        // A stream for each step: there is no state to save.
        var noise = RandomStream(seed: seed, name: "pnp/noise/\(round)/\(index)")
        let deviation = settings.addedNoise * level
        let noisy = image.map { $0 + Float(deviation * noise.normal()) }
        let clean = try denoiser.denoise(noisy, standardDeviation: level, orientation: index)
        var kernelLoss = Double.nan
        if refinesKernel && Double(index) >= settings.fixedShare * Double(levels.count) {
            kernelLoss = refineKernel(with: clean, at: level)
        }
        degradation.apply(image: clean, kernel: kernel, into: &blurred)
        let imageLoss = meanSquaredError(blurred, observed)
        image = consistency.consistent(clean, kernel: kernel, weight: settings.weight(at: level))
        return (imageLoss, kernelLoss)
    }

    private func refineKernel(with clean: Tensor<Float>, at level: Double) -> Double {
        let new = builder.equations(of: clean)
        equations?.average(with: new, retaining: settings.equationMemory)
        let present = equations ?? new
        equations = present
        kernel = settings.refinement.refine(
            from: kernel, equations: present, ridge: settings.ridge(at: level), centre: centre)
        return present.loss(of: kernel)
    }

    /// The last step of all: the image denoised once more at the lowest level.
    func finish() throws -> Double {
        image = try denoiser.denoise(image, standardDeviation: settings.lastLevel, orientation: 0)
        degradation.apply(image: image, kernel: kernel, into: &blurred)
        return meanSquaredError(blurred, observed)
    }

    func save(to snapshot: inout Snapshot) {
        snapshot.set("pnp/image", image)
        snapshot.set("pnp/kernel", kernel)
        equations?.save(to: &snapshot, at: "pnp/equations")
    }

    func restore(from snapshot: Snapshot) throws {
        image = try snapshot.tensor("pnp/image", shape: image.shape)
        kernel = try snapshot.tensor("pnp/kernel", shape: kernel.shape)
        equations = try KernelNormalEquations.restore(
            from: snapshot, at: "pnp/equations", kernelSize: kernel.shape[0])
    }
}

extension Tensor where Scalar == Float {
    /// Every element moved into [0, 1].
    var clipped: Tensor { map { min(max($0, 0), 1) } }
}
