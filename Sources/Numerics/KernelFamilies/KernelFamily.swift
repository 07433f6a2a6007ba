/// What kinds of blur a prior admits.
public enum KernelFamily: String, Sendable, Codable, CaseIterable {
    /// Every category: the kind of blur is itself unknown and part of the latent.
    case auto
    /// Anisotropic Gaussian kernels.
    case gaussian
    /// Camera-shake trajectories and straight lines.
    case motion
    /// Kernels bound to no family, found from the data. What is drawn from such a prior, to begin with, are Gaussians.
    case free

    /// The categories of the latents that this family is made of.
    public var categories: [KernelCategory] {
        switch self {
        case .auto: [.gaussian, .motion]
        case .gaussian, .free: [.gaussian]
        case .motion: [.motion]
        }
    }
}

/// The kind of one particular kernel.
public enum KernelCategory: String, Sendable, Codable, CaseIterable {
    /// An anisotropic Gaussian.
    case gaussian
    /// A camera-shake trajectory or a straight line.
    case motion
    /// Bound to no family; never that of a latent.
    case free
}

/// Where a kernel's centre of mass lies, hence how the restored image is registered with the input.
public enum KernelCentre: String, Sendable, Codable, CaseIterable {
    /// floor(n/2) + (s - 1)/2: the restored image lies on the input's own pixel grid.
    case registered
    /// (n - s)/2: the convention of the data sets and programs of the FKP and DKP family.
    case fkp

    /// The centre of mass on both axes, in kernel pixels from the first row or column, for an n x n kernel of scale s.
    public func position(size: Int, scale: Int) -> Double {
        switch self {
        case .registered: Double(size / 2) + Double(scale - 1) / 2
        case .fkp: Double(size - scale) / 2
        }
    }
}
