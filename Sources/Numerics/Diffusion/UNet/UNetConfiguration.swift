import NeuralNetwork

/// What a weights file says of its network: one of the architectures that are read, with the arguments of its source's
/// own constructor.
public enum UNetConfiguration: Sendable, Equatable {
    /// OpenAI's guided-diffusion (Dhariwal & Nichol 2021).
    case guidedDiffusion(GuidedDiffusionConfiguration)
    /// Hugging Face's `UNet2DModel`, as in the google/ddpm models (Ho et al. 2020).
    case diffusers(DiffusersConfiguration)

    /// The name of the architecture in weights files.
    public var architecture: String {
        switch self {
        case .guidedDiffusion: "guided-diffusion"
        case .diffusers: "diffusers-unet2d"
        }
    }

    /// Reads the configuration of an architecture.
    /// - Throws: ``WeightsError/Code/badConfiguration`` for an unknown architecture, JSON that is none, and values for
    ///   which there is no network.
    public init(architecture: String, json: String) throws {
        let values = try ConfigurationValues(json: json)
        switch architecture {
        case "guided-diffusion": self = .guidedDiffusion(try GuidedDiffusionConfiguration(values))
        case "diffusers-unet2d": self = .diffusers(try DiffusersConfiguration(values))
        default:
            throw WeightsError(
                .badConfiguration,
                "architecture \"\(architecture)\" is neither \"guided-diffusion\" nor \"diffusers-unet2d\"")
        }
    }

    private var common: any UNetDescription {
        switch self {
        case .guidedDiffusion(let configuration): configuration
        case .diffusers(let configuration): configuration
        }
    }

    /// The number of image channels.
    public var channels: Int { common.inChannels }
    /// The number of channels of a prediction.
    public var outputChannels: Int { common.outChannels }
    /// Whether a prediction carries the interpolation of the variance.
    public var predictsVariance: Bool { outputChannels == 2 * channels }
    /// The number of classes, nil for an unconditional network.
    public var classCount: Int? { common.classCount }
    /// The rows and columns of the images that the network was trained on.
    public var imageSize: Int { common.imageSize }
    /// Whether it has attention but for that in the middle, which ties it to images of about its own size: its cost and
    /// memory grow with the square of the pixels, and what it learned depends on them.
    public var hasAttention: Bool { common.hasAttention }
    /// The factor by which the deepest level is smaller than the image: its height and width must divide by it.
    public var reduction: Int { 1 << (common.levels - 1) }
    /// How a timestep becomes a vector.
    var timestepEmbedding: TimestepEmbedding { common.timestepEmbedding }
    /// The table of class embeddings, which is a parameter but no part of the graph.
    var labelTable: (name: String, shape: [Int])? { common.labelTable }

    /// Describes the network for images of `height` x `width` pixels.
    func graph(height: Int, width: Int) throws -> (graph: NetworkGraph, output: NetworkGraph.Node) {
        try common.graph(height: height, width: width)
    }

    /// Every parameter of the state dict with its shape.
    ///
    /// - Throws: ``WeightsError/Code/badConfiguration`` for more than ``largestParameterCount`` numbers.
    public func parameterShapes() throws -> [(name: String, shape: [Int])] {
        // Names and shapes do not depend on the image's size.
        let graph: NetworkGraph
        do {
            graph = try self.graph(height: reduction, width: reduction).graph
        } catch let error as NeuralNetworkError {
            throw WeightsError(.badConfiguration, "the configuration fits no network: \(error)")
        }
        let shapes = graph.parameters.map { ($0.name, $0.shape) } + (labelTable.map { [$0] } ?? [])
        let count = shapes.reduce(0) { $0 + $1.1.reduce(1, *) }
        guard count <= Self.largestParameterCount else {
            throw WeightsError(
                .badConfiguration,
                "the configuration calls for \(count) parameters, more than the limit of \(Self.largestParameterCount)")
        }
        return shapes
    }

    /// Four times the largest model that there is for this purpose.
    public static let largestParameterCount = 2_000_000_000

    /// The numbers of the two networks that are read follow one scheme: the embedding is four times as wide as the
    /// first level.
    static let embeddingFactor = 4
}

/// What the architectures have in common.
protocol UNetDescription {
    var inChannels: Int { get }
    var outChannels: Int { get }
    var classCount: Int? { get }
    var imageSize: Int { get }
    var levels: Int { get }
    var hasAttention: Bool { get }
    var timestepEmbedding: TimestepEmbedding { get }
    var labelTable: (name: String, shape: [Int])? { get }
    func graph(height: Int, width: Int) throws -> (graph: NetworkGraph, output: NetworkGraph.Node)
}

/// The names of the vectors that a U-Net's graph takes.
enum UNetVector {
    /// The sines and cosines of the timestep.
    static let timestep = "timestep"
    /// The class embedding.
    static let label = "label"
}
