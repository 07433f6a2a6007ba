public import NeuralNetwork
import Tensors

/// The encoder-decoder with skips of the deep image prior (Ulyanov et al., CVPR 2018), as DIP-DKP uses it (section 4.2):
/// x = D(theta) with a fixed noise input.
///
/// Every scale halves the image by a convolution with stride 2, and doubles it bilinearly on the way back; a few skip
/// channels go across. From the third scale down a non-local block stands between the two convolutions of the way
/// down. Parameters are named as in the PyTorch original.
public struct SkipNetwork: Sendable {
    /// Image channels.
    public var imageChannels = 3
    /// Channels of the fixed noise input.
    public var inputChannels = 3
    /// Channels of each scale, on the way down and up.
    public var channels = 128
    /// Channels that go across each scale.
    public var skipChannels = 16
    /// The number of halvings.
    public var scales = 5
    /// The first scale, counted from 1, that has a non-local block.
    public var firstNonLocalScale = 3

    /// The network of the paper, for colour images.
    public init() {}

    /// The slope of the activation for negative values.
    private static let activation = Activation.leakyReLU(slope: 0.2)

    /// Describes the network for images of `height` x `width` pixels.
    /// - Returns: the graph and its output node, to be given a sigmoid.
    /// - Throws: ``NeuralNetworkError`` if the image is too small for the scales.
    public func graph(
        height: Int, width: Int
    ) throws(NeuralNetworkError) -> (graph: NetworkGraph, output: NetworkGraph.Node) {
        var graph = NetworkGraph()
        let input = try graph.input(channels: inputChannels, height: height, width: width)
        let features = try addScale(1, prefix: "", below: input, to: &graph)
        let position = 9
        let output = try graph.conv2d(
            features, name: "\(position).1", outChannels: imageChannels, kernelSize: 1, bias: true)
        return (graph, output)
    }

    /// Adds scale `scale` and all below it; returns the map on its way up, as large as `x`.
    ///
    /// The numbers in the names are positions in the original's nested sequences: the parallel pair of skip and deeper
    /// branch comes first at the top scale, after a scale's way down at the others.
    private func addScale(
        _ scale: Int, prefix: String, below x: NetworkGraph.Node, to graph: inout NetworkGraph
    ) throws(NeuralNetworkError) -> NetworkGraph.Node {
        let size = graph.shape(of: x)
        var skip = try graph.conv2d(
            x, name: "\(prefix)1.0.1.1", outChannels: skipChannels, kernelSize: 1, bias: false)
        skip = try graph.batchNorm(skip, name: "\(prefix)1.0.2", activation: Self.activation)

        let deeper = "\(prefix)1.1."
        var y = try addConvolution(x, name: "\(deeper)1.1", stride: 2, to: &graph)
        y = try graph.batchNorm(y, name: "\(deeper)2", activation: Self.activation)
        var position = 4
        if scale >= firstNonLocalScale {
            y = try addNonLocalBlock(y, name: "\(deeper)\(position)", to: &graph)
            position += 1
        }
        y = try addConvolution(y, name: "\(deeper)\(position).1", stride: 1, to: &graph)
        y = try graph.batchNorm(y, name: "\(deeper)\(position + 1)", activation: Self.activation)
        if scale < scales {
            y = try addScale(scale + 1, prefix: "\(deeper)\(position + 3).", below: y, to: &graph)
        }
        y = try graph.upsample(
            y, .bilinear, height: min(size.height, 2 * graph.shape(of: y).height),
            width: min(size.width, 2 * graph.shape(of: y).width))

        y = try graph.concatenate([skip, y])
        y = try graph.batchNorm(y, name: "\(prefix)2")
        y = try addConvolution(y, name: "\(prefix)3.1", stride: 1, to: &graph)
        y = try graph.batchNorm(y, name: "\(prefix)4", activation: Self.activation)
        y = try graph.conv2d(y, name: "\(prefix)6.1", outChannels: channels, kernelSize: 1, bias: false)
        return try graph.batchNorm(y, name: "\(prefix)7", activation: Self.activation)
    }

    /// A 3 x 3 convolution with reflection padding. No bias: the batch norm after it would take it away again.
    private func addConvolution(
        _ x: NetworkGraph.Node, name: String, stride: Int, to graph: inout NetworkGraph
    ) throws(NeuralNetworkError) -> NetworkGraph.Node {
        try graph.conv2d(
            x, name: name, outChannels: channels, kernelSize: 3, stride: stride, padding: .reflection(1), bias: false)
    }

    /// x + BN(W y), y the embedded dot product over all pairs of pixels, with 2 x 2 max-pooled keys and values. A map too
    /// small to pool keeps its keys and values whole.
    private func addNonLocalBlock(
        _ x: NetworkGraph.Node, name: String, to graph: inout NetworkGraph
    ) throws(NeuralNetworkError) -> NetworkGraph.Node {
        let inner = max(channels / 2, 1)
        let size = graph.shape(of: x)
        let pools = size.height >= 2 && size.width >= 2
        var g = try graph.conv2d(x, name: "\(name).g.0", outChannels: inner, kernelSize: 1, bias: true)
        var phi = try graph.conv2d(x, name: "\(name).phi.0", outChannels: inner, kernelSize: 1, bias: true)
        if pools {
            g = try graph.maxPool(g)
            phi = try graph.maxPool(phi)
        }
        let theta = try graph.conv2d(x, name: "\(name).theta", outChannels: inner, kernelSize: 1, bias: true)
        var y = try graph.linearAttention(theta: theta, phi: phi, g: g)
        y = try graph.conv2d(y, name: "\(name).W.0", outChannels: channels, kernelSize: 1, bias: false)
        return try graph.batchNorm(y, name: "\(name).W.1", adding: x, initialWeight: 0)
    }
}
