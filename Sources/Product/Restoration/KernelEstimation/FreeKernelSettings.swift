public import Degradation
public import KernelPrior

/// How a kernel that is bound to no family is found beside the image.
public struct FreeKernelSettings: Sendable, Codable, Equatable {
    /// What the kernel has to explain.
    public var domain = KernelEquationsBuilder.Domain.both
    /// How much of the equations' average stays at each sampling.
    public var retained = 0.8
    /// The share of the present loss that is put down to the image's being uncertain, as a variance seen through the
    /// kernel: counts against narrow kernels.
    public var uncertainty = 0.03
    /// The weight of the evidence with the image integrated out, a sample's beside a sample's of the data.
    public var evidenceWeight = 1.0
    /// How the kernel moves at each sampling: little, so that kernel and image follow one another.
    public var descent = SoftmaxKernel.Descent()
    /// The last share of the steps, over which the kernel's rate falls to a tenth.
    public var annealedShare = 0.4

    /// The defaults.
    public init() {}
}
