import Degradation

/// How a kernel that is bound to no family is found beside the image.
public struct FreeKernelSettings: Sendable, Codable, Equatable {
    /// What the kernel has to explain.
    public var domain = KernelEquationsBuilder.Domain.both
    /// How much of the equations' average stays at each sampling.
    public var retained = 0.6
    /// The share of the present loss that is put down to the image's being uncertain, as a variance seen through the
    /// kernel: counts against narrow kernels.
    public var uncertainty = 0.1
    /// The weight of the evidence with the image integrated out, a sample's beside a sample's of the data.
    public var evidenceWeight = 1.0
    /// Steps of projected gradient at each sampling: few, so that kernel and image follow one another.
    public var iterations = 10
    /// How strongly the centre of mass is held.
    public var centroidWeight = 0.05

    /// The defaults.
    public init() {}
}
