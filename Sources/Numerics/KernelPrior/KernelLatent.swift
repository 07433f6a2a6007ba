public import KernelFamilies

/// The latent h of one kernel: its category, and a vector that is standard normal under the prior.
///
/// ``KernelPrior`` maps the normals to lengths, angles and variances through smooth, monotone functions, so that the
/// prior over kernels is exactly the one its settings describe, and a move that leaves standard normals invariant
/// leaves the prior invariant.
public struct KernelLatent: Sendable, Equatable {
    /// The category of the kernel.
    public var category: KernelCategory
    /// The coordinates; their number depends on the category alone, see ``count(for:)``.
    public var normals: [Double]

    /// A latent with the given coordinates, ``count(for:)`` in number.
    public init(category: KernelCategory, normals: [Double]) {
        precondition(normals.count == Self.count(for: category), "a \(category) latent has \(normals.count) normals")
        self.category = category
        self.normals = normals
    }

    /// The number of coordinates of a category's latent.
    public static func count(for category: KernelCategory) -> Int {
        switch category {
        case .gaussian: GaussianLatent.count
        case .motion: MotionLatent.count
        case .free: 0
        }
    }

    /// The logarithm of the prior density of the coordinates, up to a constant.
    var logPrior: Double { -0.5 * normals.reduce(0) { $0 + $1 * $1 } }
}

/// Where a Gaussian's latent keeps what.
enum GaussianLatent {
    static let firstVariance = 0
    static let secondVariance = 1
    /// Two coordinates whose direction is twice the angle: uniform, and without a seam at pi.
    static let orientation = 2..<4
    static let count = 4
}

/// Where a motion kernel's latent keeps what.
enum MotionLatent {
    static let lineChoice = 0
    static let lineLength = 1
    static let length = 2
    static let anxiety = 3
    static let perturbation = 4
    static let pull = 5
    /// Two coordinates whose direction is that of the path's first step.
    static let direction = 6..<8
    static let shakeCount = 4
    /// Presence, time and turn of each possible shake.
    static let shakes = 8..<(8 + 3 * shakeCount)
    static let segmentCount = 64
    /// The turn of each of the path's equal segments.
    static let turns = shakes.upperBound..<(shakes.upperBound + segmentCount)
    static let count = turns.upperBound
}
