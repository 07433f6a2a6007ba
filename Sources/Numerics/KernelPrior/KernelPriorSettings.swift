public import KernelFamilies

/// The ranges of the latents of every kernel family.
public struct KernelPriorSettings: Sendable, Codable, Equatable {
    /// How the variances of a Gaussian are spread over ``gaussianVariances``.
    public enum Spread: String, Sendable, Codable, CaseIterable {
        /// Uniformly.
        case uniform
        /// Uniformly in their logarithm: as many kernels between 1 and 2 as between 2 and 4.
        case logUniform = "log_uniform"
    }

    /// Which categories of kernel are admitted.
    public var family: KernelFamily
    /// The scale factor s, 1 to 8.
    public var scale: Int
    /// The number n of rows and columns, odd, 5 to 63.
    public var kernelSize: Int
    /// Where the centre of mass lies.
    public var centre: KernelCentre
    /// The range of a Gaussian's variances, in squared high-resolution pixels.
    public var gaussianVariances: ClosedRange<Double>
    /// How the variances are spread over their range.
    public var varianceSpread = Spread.uniform
    /// The range of a trajectory's length, in high-resolution pixels.
    public var motionLengths: ClosedRange<Double>
    /// The range of a trajectory's anxiety, spread log-uniformly: the scale, per point of the path, of its turns, of the
    /// pull back to its origin and of the probability of a shake.
    public var motionAnxieties: ClosedRange<Double> = 0.0002...0.02
    /// The share of straight lines among the motion kernels, 0 to 1.
    public var lineShare = 0.15
    /// The range of a straight line's length, in high-resolution pixels.
    public var lineLengths: ClosedRange<Double>
    /// The prior probability of a Gaussian in the family `auto`, above 0 and below 1.
    public var gaussianShare = 0.5

    /// The defaults for a scale: n = min(4s + 3, 21), variances in [0.175 s, min(2.5 s, 10)], trajectories of 2.5 s to
    /// 6 s pixels and lines of 0.5 s to 4 s. At scale 1, where nothing bounds a blur by the input's pixels, those of a
    /// hand that shakes: n = 31, variances in [0.25, 20], trajectories of 3 to 25 pixels and lines of 2 to 16.
    public init(family: KernelFamily = .auto, scale: Int = 4, centre: KernelCentre = .registered) {
        let s = Double(scale)
        self.family = family
        self.scale = scale
        self.centre = centre
        kernelSize = Self.kernelSize(scale: scale)
        let isPlain = scale == 1
        gaussianVariances = isPlain ? 0.25...20 : 0.175 * s...max(0.175 * s, min(2.5 * s, 10))
        motionLengths = isPlain ? 3...25 : 2.5 * s...6 * s
        lineLengths = isPlain ? 2...16 : 0.5 * s...4 * s
    }

    /// The variances that the authors' program draws from when it samples the prior at scale 4; scaled with s^2 / 16 at
    /// other scales.
    public static func paper(
        family: KernelFamily, scale: Int = 4, centre: KernelCentre = .registered
    ) -> KernelPriorSettings {
        var settings = KernelPriorSettings(family: family, scale: scale, centre: centre)
        let ratio = Double(scale * scale) / 16
        settings.gaussianVariances = 3.7 * ratio...20 * ratio
        return settings
    }

    /// The size rule n = min(4s + 3, 21); 31 at scale 1.
    public static func kernelSize(scale: Int) -> Int { scale == 1 ? 31 : min(4 * scale + 3, 21) }

    /// The wanted centre of mass on both axes, in kernel pixels.
    public var centrePosition: Double { centre.position(size: kernelSize, scale: scale) }

    /// Throws ``KernelPriorError`` naming the first setting that is out of range.
    public func validate() throws(KernelPriorError) {
        func require(_ holds: Bool, _ name: String, _ value: some Any, _ allowed: String) throws(KernelPriorError) {
            if !holds { throw .setting(name, value, allowed: allowed) }
        }
        func positive(_ range: ClosedRange<Double>) -> Bool { range.lowerBound > 0 && range.upperBound.isFinite }
        try require((1...8).contains(scale), "scale", scale, "1 to 8")
        try require(kernelSize % 2 == 1 && (5...63).contains(kernelSize), "kernel_size", kernelSize, "odd, 5 to 63")
        let room = min(centrePosition, Double(kernelSize - 1) - centrePosition)
        try require(
            room >= 1, "kernel_centre", centre.rawValue, "a centre at least one pixel inside a kernel of \(kernelSize)")
        try require(
            positive(gaussianVariances), "gaussian_variances", gaussianVariances, "a range of positive numbers")
        try require(positive(motionLengths), "motion_lengths", motionLengths, "a range of positive numbers")
        try require(positive(lineLengths), "line_lengths", lineLengths, "a range of positive numbers")
        try require(
            positive(motionAnxieties) && motionAnxieties.upperBound <= 0.1, "motion_anxieties", motionAnxieties,
            "above 0, at most 0.1")
        try require((0...1).contains(lineShare), "line_share", lineShare, "0 to 1")
        try require(
            gaussianShare > 0 && gaussianShare < 1, "gaussian_share", gaussianShare, "above 0 and below 1")
    }
}
