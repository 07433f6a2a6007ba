public import NeuralNetwork
public import Tensors

/// A U-Net that predicts noise, with weights from a file, run on the engine of NeuralNetwork.
///
/// The network is planned for one image size, with its weights in memory once, in the precision of computation. An image
/// of another size plans it anew and reads the weights again.
///
/// Not thread-safe: one thread at a time may use it.
public final class UNet: NoisePredictor {
    /// The network's configuration.
    public let configuration: UNetConfiguration
    /// The precision of weights and feature maps.
    public let precision: Precision

    /// Gives every parameter to its argument.
    private let fill: ((String, Tensor<Float>) throws -> Void) throws -> Void
    private var network: Network
    private var size: (height: Int, width: Int)
    /// The class embeddings, `[classes, embedding]`.
    private var labels: Tensor<Float>?

    /// Loads a network for images of `height` x `width`; nil means the size that it was trained on.
    ///
    /// - Throws: ``WeightsError`` if the file is not what it should be; `NeuralNetworkError` if memory is short or the
    ///   size does not divide by ``UNetConfiguration/reduction``.
    public convenience init(
        _ weights: WeightsFile, height: Int? = nil, width: Int? = nil, precision: Precision = .fastest
    ) throws {
        try self.init(
            weights.configuration, height: height, width: width, precision: precision, fill: weights.forEachParameter)
    }

    /// A network whose parameters come from `parameters`, which gives each by its name, in any order.
    public init(
        _ configuration: UNetConfiguration, height: Int? = nil, width: Int? = nil, precision: Precision = .fastest,
        fill parameters: @escaping ((String, Tensor<Float>) throws -> Void) throws -> Void
    ) throws {
        self.configuration = configuration
        self.precision = precision
        fill = parameters
        size = (height ?? configuration.imageSize, width ?? configuration.imageSize)
        (network, labels) = try Self.load(configuration, size, precision, parameters)
    }

    /// The number of image channels.
    public var channels: Int { configuration.channels }
    /// Whether a prediction carries the interpolation of the variance.
    public var predictsVariance: Bool { configuration.predictsVariance }
    /// The number of classes of a class-conditional network.
    public var classCount: Int? { configuration.classCount }
    /// The bytes of packed weights and feature maps.
    public var memoryByteCount: Int { network.arenaByteCount }
    /// The convolution implementations that oneDNN chose, with how often each was.
    public var convolutionImplementations: [String: Int] { network.convolutionImplementations }

    /// Predicts for a noisy image `[channels, height, width]`, its pixels scaled as in training, at a timestep, with a
    /// class label where the network wants one.
    ///
    /// - Throws: ``DiffusionError`` for an image or label that does not suit the network; as the initialiser, for an image of
    ///   another size than before.
    /// - Returns: `[channels, height, width]`, or `[2 channels, height, width]`, whose second half is the variance's
    ///   interpolation.
    public func predict(_ image: Tensor<Float>, timestep: Double, label: Int? = nil) throws -> Tensor<Float> {
        guard image.shape.count == 3, image.shape[0] == channels else {
            throw DiffusionError(
                .unusableNetwork, "an image for this network has \(channels) channels; its shape is \(image.shape)")
        }
        if image.shape[1] != size.height || image.shape[2] != size.width {
            let other = (image.shape[1], image.shape[2])
            (network, labels) = try Self.load(configuration, other, precision, fill)
            size = other
        }
        if let labels {
            guard let label, (0..<labels.shape[0]).contains(label) else {
                let given = label.map(String.init) ?? "none"
                throw DiffusionError(
                    .unusableNetwork,
                    "this network wants a class label, 0 to \(labels.shape[0] - 1), not \(given)")
            }
            let count = labels.shape[1]
            let row = labels.withUnsafeBufferPointer { Array($0[label * count..<(label + 1) * count]) }
            try network.setVector(UNetVector.label, to: row)
        } else if let label {
            throw DiffusionError(.unusableNetwork, "this network knows no classes; the label \(label) has no meaning")
        }
        try network.setVector(
            UNetVector.timestep, to: configuration.timestepEmbedding.vector(timestep: timestep))
        try network.setInput(image)
        try network.forward()
        return network.result
    }

    private static func load(
        _ configuration: UNetConfiguration, _ size: (height: Int, width: Int), _ precision: Precision,
        _ parameters: ((String, Tensor<Float>) throws -> Void) throws -> Void
    ) throws -> (Network, Tensor<Float>?) {
        let reduction = configuration.reduction
        guard size.height > 0, size.width > 0, size.height % reduction == 0, size.width % reduction == 0 else {
            throw DiffusionError(
                .unusableNetwork,
                "an image for this network has rows and columns that divide by \(reduction), not \(size.height) x "
                    + "\(size.width)")
        }
        let (graph, output) = try configuration.graph(height: size.height, width: size.width)
        let network = try Network(
            graph, output: output, precision: precision, training: false, keepsWeights: false)
        var labels: Tensor<Float>?
        let table = configuration.labelTable
        try parameters { name, value in
            if name == table?.name { labels = value } else { try network.setParameter(name, to: value) }
        }
        return (network, labels)
    }
}
