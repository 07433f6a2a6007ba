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
    private let margin: Int
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
    /// How much the data and the denoiser disagreed in the present round: the sum over its steps of the mean squared
    /// change by the data, relative to the step's noise. It rises steeply for a kernel that is too wide, and of two that
    /// are as wide the truer one has less.
    private(set) var energy = 0.0
    private var equations: KernelNormalEquations?
    private var refinesKernel = false
    private var extent: KernelExtent?
    private let seed: UInt64

    /// - Parameters:
    ///   - observed: y, `[channels, h, w]`.
    ///   - margin: its rows and columns at each side that were not observed.
    ///   - denoiser: of images of the high resolution.
    ///   - kernelSize: n.
    ///   - centre: where the kernel's centre of mass belongs on both axes.
    ///   - extent: how far a refined kernel should reach; nil leaves that to the image.
    init(
        observed: Tensor<Float>, margin: Int, scale: Int, denoiser: Denoiser, kernelSize: Int, centre: Double,
        extent: KernelExtent?, seed: UInt64, settings: PnPSettings
    ) throws {
        self.settings = settings
        self.observed = observed
        self.margin = margin
        self.denoiser = denoiser
        self.centre = centre
        self.extent = extent
        self.seed = seed
        levels = settings.levels
        consistency = try ProximalConsistency(observed: observed, margin: margin, scale: scale, kernelSize: kernelSize)
        degradation = DegradationOperator(
            scale: scale, kernelSize: kernelSize, height: denoiser.height, width: denoiser.width)
        builder = KernelEquationsBuilder(observed: observed, scale: scale, kernelSize: kernelSize)
        blurred = Tensor(shape: observed.shape)
        image = Tensor(shape: [observed.shape[0], denoiser.height, denoiser.width])
        kernel = Tensor(shape: [kernelSize, kernelSize])
    }

    /// Begins a round with a kernel `[n, n]`.
    func beginRound(with kernel: Tensor<Float>, refinesKernel: Bool) {
        self.kernel = kernel
        self.refinesKernel = refinesKernel
        image = observed.resampledBicubic(height: denoiser.height, width: denoiser.width).clipped
        equations = nil
        energy = 0
    }

    /// Returns to what an earlier round ended with.
    func resume(image: Tensor<Float>, kernel: Tensor<Float>) {
        self.image = image
        self.kernel = kernel
    }

    /// One step of a round.
    /// - Parameters:
    ///   - index: of the step in its round, from 0.
    ///   - round: of the round, from 0.
    /// - Returns: the mean squared error of the denoised image under the kernel, and the kernel's loss where it was refined.
    func advance(_ index: Int, ofRound round: Int) throws -> (imageLoss: Double, kernelLoss: Double) {
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
        let imageLoss = dataError
        image = consistency.consistent(clean, kernel: kernel, weight: settings.weight(at: level))
        energy += meanSquaredError(image, clean) / (level * level)
        return (imageLoss, kernelLoss)
    }

    private func refineKernel(with clean: Tensor<Float>, at level: Double) -> Double {
        let new = builder.equations(of: clean)
        equations?.average(with: new, retaining: settings.equationMemory)
        var present = equations ?? new
        equations = present
        if let extent {
            var held = extent.equations(kernelSize: kernel.shape[0], centre: centre)
            held.scale(by: settings.extentWeight * max(present.loss(of: kernel), 1e-8))
            present.add(held)
        }
        kernel = settings.refinement.refine(
            from: kernel, equations: present, ridge: settings.ridge(at: level), centre: centre)
        return equations?.loss(of: kernel) ?? .nan
    }

    /// The last step of all: the image denoised once more at the lowest level.
    func finish() throws -> Double {
        image = try denoiser.denoise(image, standardDeviation: settings.lastLevel, orientation: 0)
        degradation.apply(image: image, kernel: kernel, into: &blurred)
        return dataError
    }

    /// The mean squared error of the blurred image where the input was observed.
    private var dataError: Double { meanSquaredError(blurred.inner(margin), observed.inner(margin)) }

    func save(to snapshot: inout Snapshot) {
        snapshot.set("pnp/image", image)
        snapshot.set("pnp/kernel", kernel)
        snapshot.setAttribute("pnp/energy", energy)
        snapshot.setAttribute("pnp/refines_kernel", refinesKernel ? 1 : 0)
        equations?.save(to: &snapshot, at: "pnp/equations")
        if let extent {
            snapshot.setAttribute("pnp/extent_rows", extent.rows)
            snapshot.setAttribute("pnp/extent_both", extent.both)
            snapshot.setAttribute("pnp/extent_columns", extent.columns)
        }
    }

    func restore(from snapshot: Snapshot) throws {
        image = try snapshot.tensor("pnp/image", shape: image.shape)
        kernel = try snapshot.tensor("pnp/kernel", shape: kernel.shape)
        energy = try snapshot.double("pnp/energy")
        refinesKernel = try snapshot.int("pnp/refines_kernel") != 0
        equations = try KernelNormalEquations.restore(
            from: snapshot, at: "pnp/equations", kernelSize: kernel.shape[0])
        extent = nil
        if snapshot.contains("pnp/extent_rows") {
            extent = KernelExtent(
                rows: try snapshot.double("pnp/extent_rows"), both: try snapshot.double("pnp/extent_both"),
                columns: try snapshot.double("pnp/extent_columns"))
        }
    }
}

extension Tensor where Scalar == Float {
    /// Every element moved into [0, 1].
    var clipped: Tensor { map { min(max($0, 0), 1) } }
}
