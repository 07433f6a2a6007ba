/// The settings of a ``MetropolisSampler``.
public struct MetropolisSettings: Sendable, Codable, Equatable {
    /// The number L of chains whose kernels make the sample, 1 to 100.
    public var chains = 5
    /// Further chains at higher temperatures, 0 to 20, which exchange states with the others (parallel tempering): they
    /// cross between optima, and between categories, where a cold chain stays.
    public var hotChains = 2
    /// The ratio of a hot chain's temperature to the next colder one's, above 1.
    public var temperatureRatio = 8.0
    /// The proposals that each chain makes per iteration, 1 to 10,000.
    public var proposals = 20
    /// The inverse temperature of the L chains: the target is exp(-inverseTemperature loss / (2 sigma^2)) times the
    /// prior. 1 is the text's; larger makes them colder.
    public var inverseTemperature = 1.0
    /// The acceptance rate that step sizes are adapted towards, 0.1 to 0.9.
    public var targetAcceptance = 0.4
    /// The share of proposals drawn from the prior regardless of the present state, 0 to 1.
    public var priorShare = 0.02
    /// The share of proposals that change the category, in the family `auto`, 0 to 1.
    public var categoryShare = 0.05
    /// The number of prior draws, 1 to 1,000, the best of which a chain starts from.
    public var initialDraws = 20
    /// After every so many iterations the worst cold chain takes over the state of the best one where its own weight
    /// beside it is below 1e-6, 1 to 1,000,000; nil never does. This is the selection step of a particle sampler, not a
    /// Metropolis step: it spends the proposals on the best optimum found, at the price of the chains' independence.
    public var renewalInterval: Int?
    /// How the chains are weighed in their mean.
    public var weighting = KernelWeighting.likelihood

    /// The defaults.
    public init() {}

    /// Throws ``KernelPriorError`` naming the first setting that is out of range.
    public func validate() throws(KernelPriorError) {
        func require(_ holds: Bool, _ name: String, _ value: some Any, _ allowed: String) throws(KernelPriorError) {
            if !holds { throw .setting("metropolis.\(name)", value, allowed: allowed) }
        }
        try require((1...100).contains(chains), "chains", chains, "1 to 100")
        try require((0...20).contains(hotChains), "hot_chains", hotChains, "0 to 20")
        try require(
            temperatureRatio > 1 && temperatureRatio <= 1e6, "temperature_ratio", temperatureRatio,
            "above 1, at most 1e6")
        try require((1...10_000).contains(proposals), "proposals", proposals, "1 to 10000")
        try require(
            inverseTemperature > 0 && inverseTemperature <= 1e12, "inverse_temperature", inverseTemperature,
            "above 0, at most 1e12")
        try require(
            (0.1...0.9).contains(targetAcceptance), "target_acceptance", targetAcceptance, "0.1 to 0.9")
        try require((0...1).contains(priorShare), "prior_share", priorShare, "0 to 1")
        try require(
            categoryShare >= 0 && categoryShare + priorShare <= 1, "category_share", categoryShare,
            "0 to 1 - prior_share")
        if let renewalInterval {
            try require(
                (1...1_000_000).contains(renewalInterval), "renewal_interval", renewalInterval, "1 to 1000000")
        }
        try require((1...1000).contains(initialDraws), "initial_draws", initialDraws, "1 to 1000")
    }
}
