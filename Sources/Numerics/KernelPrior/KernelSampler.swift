public import Checkpointing
import Foundation
import Tensors

/// Random kernel sampling (Equations 3 to 8): finds kernels that explain the input with the present image.
///
/// A sampler is a value with its whole state inside, random numbers included: two equal samplers given equal losses
/// stay equal.
public protocol KernelSampler: Sendable {
    /// The prior that is sampled.
    var prior: KernelPrior { get }
    /// What the last call of ``sample(_:noiseVariance:)`` returned; nil before the first.
    var last: KernelSample? { get }

    /// One iteration with the loss of the present image.
    /// - Parameters:
    ///   - loss: the sum of squares of a kernel.
    ///   - noiseVariance: sigma^2, the variance of one residual, where it is known; nil takes it from the best kernel.
    mutating func sample(_ loss: some KernelLoss, noiseVariance: Double?) -> KernelSample

    /// Saves the sampler's whole state in a checkpoint, under `mcmc` and `random`.
    func save(to snapshot: inout Snapshot)

    /// Continues exactly where a saved sampler of the same prior and settings was. Throws ``KernelPriorError`` or
    /// `CheckpointError`, and leaves the sampler as it was, if the snapshot does not fit.
    mutating func restore(from snapshot: Snapshot) throws
}

extension KernelSampler {
    /// One iteration, sigma^2 taken from the best kernel's loss.
    public mutating func sample(_ loss: some KernelLoss) -> KernelSample { sample(loss, noiseVariance: nil) }
}

/// How kernels are weighed by their losses.
public enum KernelWeighting: String, Sendable, Codable, CaseIterable {
    /// Equations 6 and 8: proportional to 1 / loss, of sum 1.
    case inverseLoss = "inverse_loss"
    /// The authors' program: p_l = (loss_l - min) / (sum(loss - min) + 1e-5), w_l = -(1 - p_l)^2 log(p_l + 1e-3).
    /// Not normalised.
    case focal
    /// Proportional to exp(-loss / (2 sigma^2)), of sum 1: a kernel that explains clearly worse counts for nothing.
    case likelihood
    /// All alike, of sum 1: the plain mean of the chains.
    case equal

    /// The weights of kernels with these losses, sums of squares.
    /// - Parameter variance: sigma^2 over the inverse temperature; used by `likelihood` alone.
    public func weights(for losses: [Double], variance: Double) -> [Double] {
        let least = losses.min() ?? 0
        let raw: [Double]
        switch self {
        case .inverseLoss:
            raw = losses.map { 1 / max($0, .leastNormalMagnitude) }
        case .focal:
            let total = losses.reduce(0) { $0 + ($1 - least) } + 1e-5
            return losses.map { loss in
                let p = (loss - least) / total
                return max(0, -(1 - p) * (1 - p) * log(p + 1e-3))
            }
        case .likelihood:
            raw = losses.map { exp(-($0 - least) / (2 * variance)) }
        case .equal:
            raw = losses.map { _ in 1 }
        }
        let total = raw.reduce(0, +)
        return raw.map { $0 / total }
    }
}
