import Diffusion
public import Imaging
public import Jobs
import Tensors

/// An image that a diffusion model draws from noise alone: the quickest proof that weights and schedule are right.
public struct DiffusionSample: Sendable {
    /// The seed of the noise, and of the class where none is given.
    public var seed: UInt64 = 0
    /// The steps to visit, as `Respacing` reads them: "100", "10,20,30", "ddim50".
    public var steps = "100"
    /// How a step goes to the next noise level.
    public var sampler = RestorationSettings.DiffusionSampler.ddpm
    /// The noise that DDIM adds, 0 to 1.
    public var eta = 0.0
    /// Rows and columns, at least the model's; nil takes those.
    public var size: (height: Int, width: Int)?
    /// The class of a class-conditional model; nil draws one.
    public var classLabel: Int?

    /// A sample with the defaults.
    public init() {}

    /// Draws the image.
    /// - Parameter observe: called after each step with the number of steps done and to do.
    /// - Throws: `DiffusionError` or ``RestorationError`` for settings that do not fit; what the network throws.
    public func draw(
        from model: DiffusionModel, observe: (_ step: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> Image {
        let channels = model.predictor.channels
        guard channels == 1 || channels == 3 else {
            throw RestorationError(.badInput, "\(model.name) has \(channels) channels, an image has 1 or 3")
        }
        let (height, width) = size ?? (model.imageSize, model.imageSize)
        guard height >= model.imageSize, width >= model.imageSize else {
            throw RestorationError(
                .badSettings, "an image of \(width) x \(height) is smaller than those of \(model.name)",
                remedy: "ask for \(model.imageSize) x \(model.imageSize) or more")
        }
        guard (0...1).contains(eta) else {
            throw RestorationError(.badSettings, "eta is \(eta)", remedy: "allowed: 0 to 1")
        }
        let label = try label(for: model)
        let schedule = try NoiseSchedule(model.description, respacing: Respacing(steps))
        let predictor = model.tiled
        let sampler = self.sampler == .ddpm ? ReverseSampler.ddpm : .ddim(eta: eta)
        var noise = RandomStream(seed: seed, name: "diffusion/noise")
        var image = Tensor.standardNormal(shape: [channels, height, width], from: &noise)
        for step in (0..<schedule.count).reversed() {
            let prediction = try NoisePrediction(
                of: image, at: schedule.timesteps[step], by: predictor, label: label)
            let clean = schedule.cleanImage(of: image, prediction, at: step)
            image = schedule.previousImage(
                from: image, clean: clean, prediction, at: step, sampler: sampler, noise: &noise)
            observe(schedule.count - step, schedule.count)
        }
        return Image(colour: image.map { min(max(0.5 * ($0 + 1), 0), 1) }, alpha: nil, bitDepth: .eight)
    }

    private func label(for model: DiffusionModel) throws(RestorationError) -> Int? {
        if classLabel == nil, let classes = model.predictor.classCount {
            var stream = RandomStream(seed: seed, name: "diffusion/class")
            return stream.index(below: classes)
        }
        return try model.checkedLabel(classLabel)
    }
}
