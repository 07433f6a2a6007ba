import Jobs

public import Diffusion

/// A diffusion model that has been opened: its network, and what its file says of the training.
public struct DiffusionModel {
    /// The network.
    public let predictor: any NoisePredictor
    /// The steps and the noise levels that it was trained with.
    public let description: DiffusionDescription
    /// The rows and columns of the images that it was trained on.
    public let imageSize: Int
    /// The file, and the group in it: for messages.
    public let name: String
    /// The SHA-256 of the weights file, in hexadecimal: what a checkpoint holds instead of the weights.
    public let sha256: String
    /// What the rows and columns of an image for the network must divide by.
    var sizeMultiple = 1
    /// The most rows and columns that the network is given at once when it denoises images of other sizes than its own.
    var largestTile: Int

    /// The largest tile of a network: with attention that of its training; one that sees no further than its convolutions
    /// reach takes any size, and the number here bounds memory.
    static func largestTile(of configuration: UNetConfiguration) -> Int {
        configuration.hasAttention ? configuration.imageSize : max(configuration.imageSize, 512)
    }

    /// A model of these parts.
    public init(
        predictor: any NoisePredictor, description: DiffusionDescription, imageSize: Int, name: String, sha256: String
    ) {
        self.predictor = predictor
        self.description = description
        self.imageSize = imageSize
        self.name = name
        self.sha256 = sha256
        largestTile = imageSize
    }

    /// The network for images of any size, its own at least.
    var tiled: TiledPredictor { TiledPredictor(predictor, size: imageSize) }

    /// The network as a denoiser of images of these rows and columns.
    /// - Throws: ``RestorationError`` for a label that does not suit the network; `DiffusionError`.
    func denoiser(height: Int, width: Int, label: Int?) throws -> Denoiser {
        try Denoiser(
            predictor, training: description, height: height, width: width, multiple: sizeMultiple,
            largestTile: largestTile, label: try checkedLabel(label))
    }

    /// The label to ask the network with.
    /// - Throws: ``RestorationError`` with code `badSettings` if a class-conditional network got none, one that is not
    ///   a class of it, or any other got one.
    func checkedLabel(_ label: Int?) throws(RestorationError) -> Int? {
        guard let classes = predictor.classCount else {
            guard let label else { return nil }
            throw RestorationError(
                .badSettings, "class_label is \(label), but \(name) knows no classes", remedy: "leave class_label out")
        }
        guard let label, (0..<classes).contains(label) else {
            throw RestorationError(
                .badSettings,
                "\(name) is class-conditional, and class_label is \(label.map(String.init) ?? "not set")",
                remedy: "set class_label to 0 to \(classes - 1), or take an unconditional model")
        }
        return label
    }
}
