/// The description of a convolutional network on one image: layers, sizes and parameter names, no memory and no
/// arithmetic. ``Network`` plans it once and runs it many times.
///
/// Build it from the input to the output; every method returns the node that holds the layer's result. Sizes are
/// checked as layers are added.
public struct NetworkGraph: Sendable {
    /// A feature map of the network.
    public struct Node: Hashable, Sendable {
        package let index: Int
    }

    /// How a convolution sees beyond the edge of the image.
    public enum Padding: Sendable, Hashable {
        /// By zeros, this many on every side.
        case zero(Int)
        /// By zeros, this many after the last row and column.
        case trailingZero(Int)
        /// By the image mirrored about its edge pixels, this many on every side.
        case reflection(Int)

        /// Rows above and below, or columns left and right, together.
        var total: Int {
            switch self {
            case .zero(let amount), .reflection(let amount): 2 * amount
            case .trailingZero(let amount): amount
            }
        }
    }

    /// How a map is upsampled twofold.
    public enum Upsampling: Sendable, Hashable {
        /// Pixel centres at half-integers (PyTorch's `align_corners=False`), edges clamped.
        case bilinear
        case nearest
    }

    enum Layer: Sendable {
        case input
        case convolution(Convolution)
        case batchNormalization(BatchNormalization)
        case activation(Activation)
        case upsample(Upsampling, rowOffset: Int, columnOffset: Int)
        case crop(rowOffset: Int, columnOffset: Int)
        case maxPool
        case concatenation
        /// Inputs theta, phi, g: theta (phi' g) / pixels of g.
        case linearAttention

        // For inference only.
        case vector(name: String)
        /// Inputs: the vector, then the addend where there is one.
        case linear(Linear)
        /// Inputs: the map, then the modulation where there is one.
        case groupNormalization(GroupNormalization)
        case averagePool
        case attention(Attention)
    }

    struct Convolution: Sendable {
        var kernelSize: Int
        var stride: Int
        var padding: Padding
        var weight: Int
        var bias: Int?
        /// Whether a vector added to the bias is the second input.
        var hasBiasVector = false
        /// Whether a map added to the result is the last input.
        var hasResidual = false
    }

    struct BatchNormalization: Sendable {
        var epsilon: Float
        var activation: Activation
        var hasResidual: Bool
        var weight: Int
        var bias: Int
        var runningMean: Int
        var runningVariance: Int
    }

    struct Entry: Sendable {
        var layer: Layer
        var inputs: [Int]
        /// Channel counts of the concatenated parts; each part starts at a channel block of its own.
        var segments: [Int]
        var height: Int
        var width: Int
        /// A vector is a map of one pixel that is kept in f32.
        var isVector = false
        var channels: Int { segments.reduce(0, +) }
    }

    var entries: [Entry] = []
    /// The parameters in the order in which their layers were added.
    public internal(set) var parameters: [ParameterDescription] = []

    /// An empty network.
    public init() {}

    /// The shape of a node's feature map: channels, height, width.
    public func shape(of node: Node) -> (channels: Int, height: Int, width: Int) {
        let entry = entries[node.index]
        return (entry.channels, entry.height, entry.width)
    }

    /// An image of the given size.
    public mutating func input(channels: Int, height: Int, width: Int) throws(NeuralNetworkError) -> Node {
        guard channels > 0, height > 0, width > 0 else {
            throw .shape("an input of \(channels) x \(height) x \(width) is empty")
        }
        return add(.input, [], segments: [channels], height: height, width: width)
    }

    /// A two-dimensional cross-correlation; height out = floor((height + padding - kernelSize) / stride) + 1, padding that
    /// of both sides.
    ///
    /// Parameters `name.weight` [outChannels, inChannels, kernelSize, kernelSize] and, if wanted, `name.bias`
    /// [outChannels]. A bias in front of a batch normalization has no effect: leave it out there.
    ///
    /// - Parameters:
    ///   - biasVector: a vector of outChannels numbers, added at every pixel. Inference only.
    ///   - residual: a map added to the result, of the result's shape. Inference only.
    ///   - weightRank: the axes of `name.weight`, of which a 1 x 1 convolution may leave out the last one (as PyTorch's
    ///     `Conv1d` does) or the last two (`Linear`).
    public mutating func conv2d(
        _ x: Node, name: String, outChannels: Int, kernelSize: Int, stride: Int = 1, padding: Padding = .zero(0),
        bias: Bool, biasVector: Node? = nil, adding residual: Node? = nil, weightRank: Int = 4
    ) throws(NeuralNetworkError) -> Node {
        let entry = entries[x.index]
        guard outChannels > 0, kernelSize > 0, stride > 0, entry.height + padding.total >= kernelSize,
            entry.width + padding.total >= kernelSize
        else {
            throw .shape(
                "\(name): a \(kernelSize) x \(kernelSize) convolution does not fit a map of "
                    + "\(entry.height) x \(entry.width)")
        }
        guard weightRank == 4 || kernelSize == 1 && (2...3).contains(weightRank) else {
            throw .shape("\(name): the weight of a \(kernelSize) x \(kernelSize) convolution has four axes")
        }
        let height = (entry.height + padding.total - kernelSize) / stride + 1
        let width = (entry.width + padding.total - kernelSize) / stride + 1
        if let residual, !has(residual, segments: [outChannels], height: height, width: width) {
            throw .shape("\(name): the residual's shape differs from the result's")
        }
        if let biasVector, !has(biasVector, segments: [outChannels], height: 1, width: 1) || !bias {
            throw .shape("\(name): a bias vector has as many numbers as there are output channels, and needs a bias")
        }
        let fanIn = entry.channels * kernelSize * kernelSize
        let initialization = ParameterDescription.Initialization.uniform(bound: 1 / Float(fanIn).squareRoot())
        let weight = addParameter(
            ParameterDescription(
                name: "\(name).weight",
                shape: Array([outChannels, entry.channels, kernelSize, kernelSize].prefix(weightRank)),
                initialization: initialization, inputSegments: entry.segments))
        let biasParameter =
            bias
            ? addParameter(
                ParameterDescription(
                    name: "\(name).bias", shape: [outChannels], initialization: initialization, inputSegments: []))
            : nil
        let layer = Convolution(
            kernelSize: kernelSize, stride: stride, padding: padding, weight: weight, bias: biasParameter,
            hasBiasVector: biasVector != nil, hasResidual: residual != nil)
        return add(
            .convolution(layer), [x, biasVector, residual].compactMap { $0 }, segments: [outChannels], height: height,
            width: width)
    }

    /// Batch normalization over the pixels of the one image, then an activation, then a residual added.
    ///
    /// Parameters `name.weight` and `name.bias`, state `name.running_mean` and `name.running_var`.
    /// - Parameter initialWeight: what `name.weight` starts at; 0 makes a residual branch start as nothing.
    public mutating func batchNorm(
        _ x: Node, name: String, activation: Activation = .identity, adding residual: Node? = nil,
        initialWeight: Float = 1, epsilon: Float = 1e-5
    ) throws(NeuralNetworkError) -> Node {
        let entry = entries[x.index]
        if let residual,
            entries[residual.index].segments != entry.segments
                || entries[residual.index].height != entry.height || entries[residual.index].width != entry.width
        {
            throw .shape("\(name): the residual's shape differs from the normalized map's")
        }
        func channelParameter(_ suffix: String, _ value: Float, trainable: Bool) -> ParameterDescription {
            ParameterDescription(
                name: "\(name).\(suffix)", shape: [entry.channels], initialization: .constant(value),
                inputSegments: entry.segments, isTrainable: trainable)
        }
        let layer = BatchNormalization(
            epsilon: epsilon, activation: activation, hasResidual: residual != nil,
            weight: addParameter(channelParameter("weight", initialWeight, trainable: true)),
            bias: addParameter(channelParameter("bias", 0, trainable: true)),
            runningMean: addParameter(channelParameter("running_mean", 0, trainable: false)),
            runningVariance: addParameter(channelParameter("running_var", 1, trainable: false)))
        return add(
            .batchNormalization(layer), [x] + (residual.map { [$0] } ?? []), segments: entry.segments,
            height: entry.height, width: entry.width)
    }

    /// A pointwise nonlinearity on its own (after a batch normalization, give it to that instead).
    public mutating func activation(_ x: Node, _ activation: Activation) -> Node {
        let entry = entries[x.index]
        return add(
            .activation(activation), [x], segments: entry.segments, height: entry.height, width: entry.width,
            isVector: entry.isVector)
    }

    /// Twofold upsampling, cropped to `height` x `width` about the centre when these are given.
    public mutating func upsample(
        _ x: Node, _ upsampling: Upsampling, height: Int? = nil, width: Int? = nil
    ) throws(NeuralNetworkError) -> Node {
        let entry = entries[x.index]
        let height = height ?? 2 * entry.height
        let width = width ?? 2 * entry.width
        guard (1...2 * entry.height).contains(height), (1...2 * entry.width).contains(width) else {
            throw .shape("an upsampling of \(entry.height) x \(entry.width) does not hold \(height) x \(width)")
        }
        let layer = Layer.upsample(
            upsampling, rowOffset: (2 * entry.height - height) / 2, columnOffset: (2 * entry.width - width) / 2)
        return add(layer, [x], segments: entry.segments, height: height, width: width)
    }

    /// The largest of each 2 x 2 pixels; an odd last row or column is dropped.
    public mutating func maxPool(_ x: Node) throws(NeuralNetworkError) -> Node {
        let entry = entries[x.index]
        guard entry.height >= 2, entry.width >= 2 else {
            throw .shape("a 2 x 2 pooling needs at least 2 x 2 pixels, not \(entry.height) x \(entry.width)")
        }
        return add(.maxPool, [x], segments: entry.segments, height: entry.height / 2, width: entry.width / 2)
    }

    /// Joins maps along the channels; where sizes differ, each is cropped to the smallest about its centre.
    public mutating func concatenate(_ nodes: [Node]) throws(NeuralNetworkError) -> Node {
        let inputs = nodes.map { entries[$0.index] }
        guard let height = inputs.map(\.height).min(), let width = inputs.map(\.width).min() else {
            throw .shape("there is nothing to concatenate")
        }
        let cropped = nodes.map { node in
            let entry = entries[node.index]
            if entry.height == height && entry.width == width { return node }
            let layer = Layer.crop(rowOffset: (entry.height - height) / 2, columnOffset: (entry.width - width) / 2)
            return add(layer, [node], segments: entry.segments, height: height, width: width)
        }
        return add(
            .concatenation, cropped, segments: inputs.flatMap(\.segments), height: height, width: width)
    }

    /// Embedded dot-product attention divided by the number of keys, with no softmax (Wang et al. 2018, "dot product"):
    /// theta (phi' g) / keys. Without a softmax the product can be taken from the right, so the pixels-by-keys matrix
    /// never exists.
    public mutating func linearAttention(theta: Node, phi: Node, g: Node) throws(NeuralNetworkError) -> Node {
        let query = entries[theta.index]
        let key = entries[phi.index]
        let value = entries[g.index]
        guard query.channels == key.channels, key.height == value.height, key.width == value.width else {
            throw .shape("linear attention: theta and phi share channels, phi and g share pixels")
        }
        return add(
            .linearAttention, [theta, phi, g], segments: value.segments, height: query.height, width: query.width)
    }

    func has(_ node: Node, segments: [Int], height: Int, width: Int) -> Bool {
        let entry = entries[node.index]
        return entry.segments == segments && entry.height == height && entry.width == width
    }

    mutating func add(
        _ layer: Layer, _ inputs: [Node], segments: [Int], height: Int, width: Int, isVector: Bool = false
    ) -> Node {
        entries.append(
            Entry(
                layer: layer, inputs: inputs.map(\.index), segments: segments, height: height, width: width,
                isVector: isVector))
        return Node(index: entries.count - 1)
    }

    mutating func addParameter(_ parameter: ParameterDescription) -> Int {
        parameters.append(parameter)
        return parameters.count - 1
    }
}

/// A named parameter of a network.
public struct ParameterDescription: Sendable {
    /// How a parameter is filled at the beginning.
    public enum Initialization: Sendable, Equatable {
        /// Uniform in [-bound, bound] (PyTorch's default for convolutions: bound = 1 / sqrt(fan in)).
        case uniform(bound: Float)
        case constant(Float)
    }

    /// The name, as in the state dict of the PyTorch original.
    public let name: String
    /// `[out, in, height, width]` for convolution weights (the last axes may be left out where they are 1), `[out, in]`
    /// for those of linear layers, `[channels]` otherwise.
    public let shape: [Int]
    /// The value at the start.
    public let initialization: Initialization
    /// The concatenated parts of the channels that the parameter is indexed by (its input channels, for a weight).
    let inputSegments: [Int]
    /// Whether the optimiser moves it; running statistics are not moved.
    public var isTrainable = true

    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// Whether this is a matrix of weights, from input channels to output channels.
    var isWeight: Bool { shape.count > 1 }
}
