import Checkpointing
import Degradation
import Foundation
import KernelPrior
import Tensors

/// Finds a kernel that is bound to no family: on the normal equations of the image network's outputs, averaged over
/// steps, with the evidence that integrates the image out beside them.
struct FreeKernelSearch {
    let settings: FreeKernelSettings
    private let centre: Double
    private let kernelSize: Int
    private var builder: KernelEquationsBuilder
    private let evidence: SpectralEvidence
    private var equations: KernelNormalEquations?
    private var spectrum = SpectralEvidence.Spectrum()
    private var softmax: SoftmaxKernel?
    /// The present free kernel, `[n, n]`; nil before the first refinement.
    var kernel: Tensor<Float>? { softmax?.kernel }

    init(
        _ settings: FreeKernelSettings, observed: Tensor<Float>, scale: Int, kernelSize: Int, centre: Double,
        noise: Double
    ) throws {
        self.settings = settings
        self.centre = centre
        self.kernelSize = kernelSize
        builder = KernelEquationsBuilder(
            observed: observed, scale: scale, kernelSize: kernelSize, domain: settings.domain)
        evidence = try SpectralEvidence(observed: observed, scale: scale, kernelSize: kernelSize)
        spectrum.noiseVariance = evidence.noiseVariance(ofChannels: noise)
    }

    /// A chain's loss with the evidence beside it: each sample of `loss` counts as one of the evidence, times `weight`.
    /// - Parameter energy: the loss of the present kernel, of which the variance of a residual is `count`'s share.
    mutating func witnessed<Base: KernelLoss>(
        _ loss: Base, energy: Double, weight: Double, near kernel: Tensor<Float>
    ) -> LossWithEvidence<Base> {
        spectrum = evidence.fitted(to: kernel, from: spectrum)
        return LossWithEvidence(base: loss, evidence: evidence, spectrum: spectrum, factor: 2 * weight * energy)
    }

    /// Takes an output of the image network into account.
    mutating func observe(_ image: Tensor<Float>) {
        let new = builder.equations(of: image)
        if equations == nil { equations = new } else { equations?.average(with: new, retaining: settings.retained) }
    }

    /// Moves the kernel towards the optimum; the first time from `start`.
    /// - Parameter progress: the share of the search that is done; towards its end the steps grow shorter.
    mutating func refine(from start: Tensor<Float>, progress: Double, within other: Tensor<Float>) {
        guard let equations else { return }
        var moving = softmax ?? SoftmaxKernel(start)
        let present = moving.kernel
        let loss = max(equations.loss(of: present), 1e-9)
        let ridge = settings.uncertainty * loss / present.squaredNorm
        var descent = settings.descent
        descent.learningRate *= min(1, max(0.1, (1 - progress) / settings.annealedShare))
        spectrum = evidence.fitted(to: present, from: spectrum)
        let weight = 2 * settings.evidenceWeight * loss
        let size = kernelSize
        let further: FreeKernelEstimator.FurtherLoss = { [evidence, spectrum] kernel, gradient in
            weight
                * evidence.loss(
                    of: kernel.reshaped([size, size]).map { Float($0) }, spectrum: spectrum,
                    addingGradientTo: &gradient, weight: weight)
        }
        moving.descend(
            descent, equations: equations, ridge: ridge, centre: centre,
            within: KernelExtent(other, centre: centre),
            adding: settings.evidenceWeight > 0 ? further : nil)
        softmax = moving
    }

    /// Twice the negative log-likelihood of a kernel per sample, up to a constant; smaller is better.
    struct Score {
        /// What the data say with the averaged image, their variance profiled out.
        var data: Double
        /// What they say with the image integrated out.
        var evidence: Double
    }

    /// The score of a kernel `[n, n]` with what was observed so far.
    func score(of kernel: Tensor<Float>) -> Score {
        guard let equations else { return Score(data: 0, evidence: 0) }
        let fitted = evidence.fitted(to: kernel, from: spectrum)
        return Score(
            data: log(max(equations.loss(of: kernel), 1e-12)),
            evidence: 2 * evidence.loss(of: kernel, spectrum: fitted))
    }

    // MARK: Checkpoints

    func save(to snapshot: inout Snapshot) {
        equations?.save(to: &snapshot, at: "free_kernel/equations")
        softmax?.save(to: &snapshot, at: "free_kernel/softmax")
        snapshot.setAttribute("free_kernel/log_scale", spectrum.logScale)
        snapshot.setAttribute("free_kernel/exponent", spectrum.exponent)
        snapshot.setAttribute("free_kernel/noise_variance", spectrum.noiseVariance)
    }

    mutating func restore(from snapshot: Snapshot) throws {
        equations = try KernelNormalEquations.restore(
            from: snapshot, at: "free_kernel/equations", kernelSize: kernelSize)
        softmax = try SoftmaxKernel.restore(from: snapshot, at: "free_kernel/softmax", size: kernelSize)
        spectrum = SpectralEvidence.Spectrum(
            logScale: try snapshot.double("free_kernel/log_scale"),
            exponent: try snapshot.double("free_kernel/exponent"),
            noiseVariance: try snapshot.double("free_kernel/noise_variance"))
    }
}

/// The sum of squares of a kernel with the evidence of y alone beside it.
struct LossWithEvidence<Base: KernelLoss>: KernelLoss {
    let base: Base
    let evidence: SpectralEvidence
    let spectrum: SpectralEvidence.Spectrum
    /// What the evidence's loss per sample counts, in sums of squares.
    let factor: Double

    var count: Int { base.count }

    func loss(of kernel: Tensor<Float>) -> Double {
        base.loss(of: kernel) + factor * evidence.profiledLoss(of: kernel, spectrum: spectrum)
    }
}
