/// Layers that networks have which are only run, never trained: diffusion models. A network with one of them cannot be
/// planned for training.
extension NetworkGraph {
    /// How the rows of queries, keys and values of the heads follow one another in a map of 3 x channels.
    public enum HeadOrder: Sendable, Hashable {
        /// Head by head, in each its queries, keys and values.
        case headsFirst
        /// The queries of all heads, then all keys, then all values.
        case queriesFirst
    }

    struct Linear: Sendable {
        var weight: Int
        var bias: Int
        var hasAddend: Bool
    }

    struct GroupNormalization: Sendable {
        var groups: Int
        var epsilon: Float
        var activation: Activation
        var isModulated: Bool
        var weight: Int
        var bias: Int
    }

    struct Attention: Sendable {
        var heads: Int
        var order: HeadOrder
    }

    /// A vector of numbers given from outside by this name (``Network/setVector(_:to:)``), such as the embedding of a
    /// timestep. Vectors are f32 whatever the precision of maps.
    public mutating func vector(name: String, count: Int) throws(NeuralNetworkError) -> Node {
        guard count > 0 else { throw .shape("\(name): a vector of \(count) numbers is empty") }
        return add(.vector(name: name), [], segments: [count], height: 1, width: 1, isVector: true)
    }

    /// weight x + bias (+ addend), of a vector.
    ///
    /// Parameters `name.weight` [outputs, inputs] and `name.bias` [outputs].
    public mutating func linear(
        _ x: Node, name: String, outputs: Int, adding addend: Node? = nil
    ) throws(NeuralNetworkError) -> Node {
        let entry = entries[x.index]
        guard entry.isVector, outputs > 0 else {
            throw .shape("\(name): a linear layer maps a vector to a vector")
        }
        if let addend, !entries[addend.index].isVector || entries[addend.index].channels != outputs {
            throw .shape("\(name): the addend is a vector of \(outputs) numbers")
        }
        let initialization = ParameterDescription.Initialization.uniform(bound: 1 / Float(entry.channels).squareRoot())
        let layer = Linear(
            weight: addParameter(
                ParameterDescription(
                    name: "\(name).weight", shape: [outputs, entry.channels], initialization: initialization,
                    inputSegments: entry.segments)),
            bias: addParameter(
                ParameterDescription(
                    name: "\(name).bias", shape: [outputs], initialization: initialization, inputSegments: [])),
            hasAddend: addend != nil)
        return add(
            .linear(layer), [x] + (addend.map { [$0] } ?? []), segments: [outputs], height: 1, width: 1,
            isVector: true)
    }

    /// Group normalization (Wu & He 2018) over the pixels and channels of each group, then the modulation, then an
    /// activation.
    ///
    /// Parameters `name.weight` and `name.bias` [channels].
    /// - Parameter modulation: a vector of 2 x channels numbers, (s, b): the normalized map times (1 + s) plus b.
    public mutating func groupNorm(
        _ x: Node, name: String, groups: Int = 32, epsilon: Float = 1e-5, modulatedBy modulation: Node? = nil,
        activation: Activation = .identity
    ) throws(NeuralNetworkError) -> Node {
        let entry = entries[x.index]
        guard groups > 0, entry.channels % groups == 0 else {
            throw .shape("\(name): \(entry.channels) channels do not divide into \(groups) groups")
        }
        if let modulation, !has(modulation, segments: [2 * entry.channels], height: 1, width: 1) {
            throw .shape("\(name): a modulation has two numbers for each of the \(entry.channels) channels")
        }
        func channelParameter(_ suffix: String, _ value: Float) -> Int {
            addParameter(
                ParameterDescription(
                    name: "\(name).\(suffix)", shape: [entry.channels], initialization: .constant(value),
                    inputSegments: entry.segments))
        }
        let layer = GroupNormalization(
            groups: groups, epsilon: epsilon, activation: activation, isModulated: modulation != nil,
            weight: channelParameter("weight", 1), bias: channelParameter("bias", 0))
        return add(
            .groupNormalization(layer), [x] + (modulation.map { [$0] } ?? []), segments: entry.segments,
            height: entry.height, width: entry.width)
    }

    /// The mean of each 2 x 2 pixels; an odd last row or column is dropped.
    public mutating func averagePool(_ x: Node) throws(NeuralNetworkError) -> Node {
        let entry = entries[x.index]
        guard entry.height >= 2, entry.width >= 2 else {
            throw .shape("a 2 x 2 pooling needs at least 2 x 2 pixels, not \(entry.height) x \(entry.width)")
        }
        return add(.averagePool, [x], segments: entry.segments, height: entry.height / 2, width: entry.width / 2)
    }

    /// Scaled dot-product attention of all pixels to all pixels (Vaswani et al. 2017), head by head:
    /// softmax(q' k / sqrt(channels of a head)) v.
    /// - Parameter queriesKeysValues: a map of three times the channels of the result.
    public mutating func attention(
        _ queriesKeysValues: Node, heads: Int, order: HeadOrder
    ) throws(NeuralNetworkError) -> Node {
        let entry = entries[queriesKeysValues.index]
        guard heads > 0, entry.channels % (3 * heads) == 0 else {
            throw .shape("attention: \(entry.channels) channels are not three parts for each of \(heads) heads")
        }
        return add(
            .attention(Attention(heads: heads, order: order)), [queriesKeysValues], segments: [entry.channels / 3],
            height: entry.height, width: entry.width)
    }
}
