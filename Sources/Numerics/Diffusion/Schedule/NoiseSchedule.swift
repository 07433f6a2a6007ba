/// The noise levels of a reverse process and the coefficients of its posterior (Ho et al. 2020, Equations 6 and 7).
///
/// Step i of the process, 0 being the last one done, stands for the training's step ``timesteps``[i]; all arrays have one
/// entry a step. Respacing keeps abar at the steps visited and derives the betas anew.
public struct NoiseSchedule: Sendable, Equatable {
    /// The steps of the training that are visited, ascending.
    public let timesteps: [Int]
    /// beta: the variance that a step of the forward process adds.
    public let betas: [Double]
    /// The fraction of the image's variance that is left after a step of the forward process.
    public let alphaBar: [Double]
    /// abar of the step before; 1 before the first.
    public let previousAlphaBar: [Double]
    /// The weight of the clean image in the posterior's mean (Equation 22 of the paper).
    public let posteriorMeanCoefficient1: [Double]
    /// The weight of the noisy image in the posterior's mean.
    public let posteriorMeanCoefficient2: [Double]
    /// The posterior's variance; 0 at the first step.
    public let posteriorVariance: [Double]

    /// The schedule of a training, respaced.
    /// - Throws: ``DiffusionError`` if the two do not fit.
    public init(_ description: DiffusionDescription, respacing: Respacing? = nil) throws(DiffusionError) {
        let trained = try description.betas()
        let timesteps = try respacing?.timesteps(of: trained.count) ?? Array(trained.indices)
        var alphaBars: [Double] = []
        var product = 1.0
        for beta in trained {
            product *= 1 - beta
            alphaBars.append(product)
        }
        guard respacing != nil else {
            self.init(timesteps: timesteps, betas: trained)
            return
        }
        var betas: [Double] = []
        var last = 1.0
        for step in timesteps {
            betas.append(1 - alphaBars[step] / last)
            last = alphaBars[step]
        }
        self.init(timesteps: timesteps, betas: betas)
    }

    private init(timesteps: [Int], betas: [Double]) {
        self.timesteps = timesteps
        self.betas = betas
        var alphaBars: [Double] = []
        var previous: [Double] = []
        var product = 1.0
        for beta in betas {
            previous.append(product)
            product *= 1 - beta
            alphaBars.append(product)
        }
        alphaBar = alphaBars
        previousAlphaBar = previous
        posteriorMeanCoefficient1 = betas.indices.map {
            betas[$0] * previous[$0].squareRoot() / (1 - alphaBars[$0])
        }
        posteriorMeanCoefficient2 = betas.indices.map {
            (1 - previous[$0]) * (1 - betas[$0]).squareRoot() / (1 - alphaBars[$0])
        }
        posteriorVariance = betas.indices.map { betas[$0] * (1 - previous[$0]) / (1 - alphaBars[$0]) }
    }

    /// The number of steps.
    public var count: Int { timesteps.count }

    /// The standard deviation of the noise in the noisy image, relative to the clean one's scale:
    /// sqrt((1 - abar) / abar).
    public func noiseLevel(at step: Int) -> Double {
        ((1 - alphaBar[step]) / alphaBar[step]).squareRoot()
    }
}
