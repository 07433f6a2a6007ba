/// How a network was trained to predict noise: the attribute `diffusion` of a weights file (see formats: weights).
public struct DiffusionDescription: Sendable, Codable, Equatable {
    /// The shape of the betas over the steps of the training.
    public enum Betas: String, Sendable, Codable, CaseIterable {
        /// From 0.0001 to 0.02 in equal steps, both times 1000 / steps (Ho et al. 2020).
        case linear
        /// From abar(u) = cos^2((u + 0.008) / 1.008 pi / 2), each at most 0.999 (Nichol & Dhariwal 2021).
        case cosine
    }

    /// The steps of the training, 1 to 100,000.
    public var steps: Int
    /// The shape of the betas.
    public var schedule: Betas
    /// Whether the network's answer carries the interpolation of the variance.
    public var learnSigma: Bool
    /// The values that stand for black and white.
    public var pixelRange: [Double]

    enum CodingKeys: String, CodingKey {
        case steps, schedule
        case learnSigma = "learn_sigma"
        case pixelRange = "pixel_range"
    }

    /// A description; the defaults are those of most published networks.
    public init(
        steps: Int = 1000, schedule: Betas = .linear, learnSigma: Bool = false, pixelRange: [Double] = [-1, 1]
    ) {
        self.steps = steps
        self.schedule = schedule
        self.learnSigma = learnSigma
        self.pixelRange = pixelRange
    }

    static let stepsAllowed = 1...100_000

    /// The betas of the training, `steps` numbers in (0, 1).
    /// - Throws: ``DiffusionError`` if the number of steps is out of range.
    public func betas() throws(DiffusionError) -> [Double] {
        guard Self.stepsAllowed.contains(steps) else {
            throw DiffusionError(
                .invalidSetting, "a training of \(steps) steps; allowed: 1 to \(Self.stepsAllowed.upperBound)")
        }
        switch schedule {
        case .linear: return Self.linear(steps)
        case .cosine: return Self.cosine(steps)
        }
    }
}
