import Degradation

/// The quadratic form of the present image, as a loss to sample by.
extension KernelQuadratic: KernelLoss {}
