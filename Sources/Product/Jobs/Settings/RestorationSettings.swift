public import KernelFamilies

/// What is asked of one restoration: every choice that a file, a flag or the environment may make, each in its range.
///
/// A value of this type that came through one of the parsers (see ``set(_:to:source:)`` and ``apply(yaml:source:)``) is
/// valid; one that was changed by hand is checked by ``validate(source:)``.
public struct RestorationSettings: Sendable, Hashable {
    /// The restoration method.
    public enum Method: String, Sendable, Codable, CaseIterable {
        /// Deep image prior with a dynamic kernel prior (Algorithm 2 of the paper).
        case dipDKP = "dip-dkp"
        /// A trained diffusion model with a dynamic kernel prior (Algorithm 3 of the paper).
        case diffDKP = "diff-dkp"
        /// Deep image prior with a dynamic kernel prior to find the kernel, then a trained denoiser to restore the image
        /// and refine the kernel.
        case pnpDKP = "pnp-dkp"

        /// Whether it works with a trained model.
        public var needsWeights: Bool { self != .dipDKP }
    }

    /// A named set of the method's inner settings.
    public enum Preset: String, Sendable, Codable, CaseIterable {
        /// What takes a fraction of the default's time.
        case fast
        /// The best found for its time, by measurement.
        case `default`
        /// What takes a multiple of the default's time.
        case best
        /// The authors' method and settings.
        case paper
    }

    /// The arithmetic of the image network.
    public enum Precision: String, Sendable, Codable, CaseIterable {
        /// The fastest that the processor computes natively.
        case auto
        /// 32-bit floating point.
        case f32
        /// bfloat16 products, 32-bit sums and master weights.
        case bf16
    }

    /// How kernels are sampled.
    public enum Sampler: String, Sendable, Codable, CaseIterable {
        /// Fresh draws from the prior at each iteration.
        case independent
        /// Persistent random-walk Metropolis-Hastings chains.
        case metropolis
    }

    /// How a step of the reverse process of diff-dkp goes to the next noise level.
    public enum DiffusionSampler: String, Sendable, Codable, CaseIterable {
        /// Draws from the posterior (Ho et al. 2020).
        case ddpm
        /// With as much noise as ``eta`` says (Song et al. 2021).
        case ddim
    }

    /// What is taken to lie beyond the borders of an image.
    public enum Boundary: String, Sendable, Codable, CaseIterable {
        /// The image's own other end, as in most sets of test images. A search for the kernel comes further with it, on
        /// photographs too (Docs/quality.md).
        case circular
        /// What nobody has seen, as around a photograph: the best where the kernel is known.
        case free
    }

    /// How diff-dkp makes an image consistent with the data.
    public enum DataConsistency: String, Sendable, Codable, CaseIterable {
        /// The exact minimiser of data term and distance.
        case proximal
        /// A step down the data term's gradient, as the paper prints it.
        case gradient
    }

    /// The scale factors of a restoration whose blur is looked for.
    public static let scales = [2, 3, 4, 8]
    /// Those where the blur is known; 1 enlarges nothing.
    public static let scalesOfKnownBlur = [1] + scales

    /// The restoration method.
    public var method = Method.pnpDKP
    /// The set of inner settings to start from.
    public var preset = Preset.default
    /// How many times larger the restored image is on each axis: one of ``scales``, or of ``scalesOfKnownBlur`` with
    /// ``oracleKernel``.
    public var scale = 4
    /// The family of blur kernels to look for; nil takes the preset's.
    public var kernel: KernelFamily?
    /// Where the centre of mass of the kernels lies.
    public var kernelCentre = KernelCentre.registered
    /// The standard deviation of the input's noise, in 255ths of the range, 0 to 100; nil estimates it.
    public var noise: Double?
    /// What is taken to lie beyond the image's borders.
    public var boundary = Boundary.circular
    /// The number of inner steps of dip-dkp, 1 to 100,000, and the most of pnp-dkp's first phase; nil takes the preset's.
    public var steps: Int?
    /// The seed of every random number.
    public var seed: UInt64 = 0
    /// The arithmetic of the image network.
    public var precision = Precision.auto
    /// The number of compute threads, 1 to 1,024; nil takes `OMP_NUM_THREADS` or else one per processor.
    public var threads: Int?
    /// Seconds of wall clock between two checkpoints, 0.1 to 86,400.
    public var checkpointInterval: Double = 30
    /// How kernels are sampled; nil takes the preset's.
    public var sampler: Sampler?
    /// A file with the true kernel (HDF5 or PNG), which is then used instead of an estimate: for blurs that are known, and
    /// as a bound for experiments.
    public var oracleKernel: String?
    /// The weights of diff-dkp and pnp-dkp, `file.h5` or `file.h5#group`: see ``WeightsLocation``; nil takes those that
    /// come with the program.
    public var weights: String?
    /// The steps of diff-dkp's reverse process, 1 to 100,000 and at most those of the model's training; nil takes the
    /// preset's.
    public var diffusionSteps: Int?
    /// How a step of the reverse process goes to the next noise level.
    public var diffusionSampler = DiffusionSampler.ddpm
    /// The noise that DDIM adds, 0 (none) to 1 (as much as DDPM).
    public var eta = 0.0
    /// How diff-dkp makes an image consistent with the data.
    public var dataConsistency = DataConsistency.proximal
    /// What a class-conditional model is told that the image shows, from 0; nil for other models.
    public var classLabel: Int?

    /// The defaults.
    public init() {}

    /// The family of blur kernels that is looked for: what was asked, or the preset's. The authors' program knows no
    /// other than Gaussians unless it is told to.
    public var kernelFamily: KernelFamily { kernel ?? (preset == .paper ? .gaussian : .auto) }

    /// These settings without those that change only how the work is run (threads, checkpoint interval): two jobs with
    /// equal inputs and equal values of this ask for the same result.
    public var determiningResult: RestorationSettings {
        var copy = self
        copy.threads = nil
        copy.checkpointInterval = RestorationSettings().checkpointInterval
        return copy
    }
}
