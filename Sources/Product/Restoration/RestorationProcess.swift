public import KernelFamilies

public import Checkpointing
import KernelPrior
public import Tensors

/// A restoration in steps: an object that can be advanced, looked at, saved after any step and resumed elsewhere.
///
/// It has no clock and no source of randomness but its own counted streams, so that a process resumed from a snapshot
/// computes the very numbers that the saved one would have.
public protocol RestorationProcess: AnyObject {
    /// The number of steps done.
    var step: Int { get }
    /// The number of steps to do.
    var totalSteps: Int { get }

    /// The steps still to do, each counting for as many as the present ones as it takes longer: what is left of the
    /// work when steps of several kinds make it up.
    var remainingWork: Double { get }

    /// Does one step.
    func advance() throws -> StepRecord

    /// The complete state between two steps. Whoever runs the process adds the header (see formats: checkpoint) and the
    /// group `trace`; the process keeps to other names.
    func snapshot() throws -> Snapshot

    /// The present best estimate. Asking for it changes nothing that later steps depend on.
    func estimate() throws -> RestorationEstimate
}

extension RestorationProcess {
    /// All steps are alike.
    public var remainingWork: Double { Double(totalSteps - step) }
}

/// What one step has to tell.
public struct StepRecord: Sendable, Equatable {
    /// The number of steps done, this one included.
    public var step: Int
    /// The loss of the image.
    public var imageLoss: Double
    /// The loss of the kernel; NaN in steps that do not touch it.
    public var kernelLoss: Double
    /// What the process is about, in a word or two: "warm-up", "SSIM".
    public var phase: String

    /// The record of a step.
    public init(step: Int, imageLoss: Double, kernelLoss: Double, phase: String) {
        self.step = step
        self.imageLoss = imageLoss
        self.kernelLoss = kernelLoss
        self.phase = phase
    }
}

/// An image and the kernel that goes with it.
public struct RestorationEstimate: Sendable, Equatable {
    /// Colour planes `[channels, height, width]` in [0, 1], the scale times larger than the input.
    public var image: Tensor<Float>
    /// The blur kernel `[n, n]`, non-negative, of sum 1.
    public var kernel: Tensor<Float>
    /// The category of the kernel where it was chosen among the known ones; nil where the kernel was given or came from
    /// a network.
    public var kernelCategory: KernelCategory?
    /// How sure the kernel is; nil where that is not known.
    public var kernelConfidence: KernelConfidence?
    /// What a reader of the report should know about how the estimate came about; nil where all went as usual.
    public var note: String?

    /// An estimate of the given shapes.
    public init(
        image: Tensor<Float>, kernel: Tensor<Float>, kernelCategory: KernelCategory? = nil,
        kernelConfidence: KernelConfidence? = nil, note: String? = nil
    ) {
        self.image = image
        self.kernel = kernel
        self.kernelCategory = kernelCategory
        self.kernelConfidence = kernelConfidence
        self.note = note
    }
}
