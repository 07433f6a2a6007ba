import NeuralNetwork
import Tensors
import Testing

/// A network with one layer of interest between two convolutions, so that its input's gradient is seen through the
/// first one's parameters.
enum LayerUnderTest: String, CaseIterable, Sendable {
    case convolutionWithZeros
    case convolutionWithReflection
    case largeConvolution
    case stridedConvolution
    case stridedConvolutionWithReflection
    case leakyNormalization
    case smoothNormalization
    case residualNormalization
    case relu6
    case silu
    case sigmoid
    case bilinearUpsampling
    case croppedBilinearUpsampling
    case nearestUpsampling
    case maxPooling
    case concatenationOfSizes
    case attention

    func add(_ x: NetworkGraph.Node, to graph: inout NetworkGraph) throws -> NetworkGraph.Node {
        switch self {
        case .convolutionWithZeros:
            try graph.conv2d(x, name: "layer", outChannels: 5, kernelSize: 3, padding: .zero(1), bias: true)
        case .convolutionWithReflection:
            try graph.conv2d(x, name: "layer", outChannels: 5, kernelSize: 3, padding: .reflection(1), bias: true)
        case .largeConvolution:
            try graph.conv2d(x, name: "layer", outChannels: 4, kernelSize: 5, padding: .reflection(2), bias: false)
        case .stridedConvolution:
            try graph.conv2d(
                x, name: "layer", outChannels: 8, kernelSize: 3, stride: 2, padding: .zero(1), bias: true)
        case .stridedConvolutionWithReflection:
            try graph.conv2d(
                x, name: "layer", outChannels: 16, kernelSize: 3, stride: 2, padding: .reflection(1), bias: true)
        case .leakyNormalization:
            try graph.batchNorm(x, name: "layer", activation: .leakyReLU(slope: 0.2))
        case .smoothNormalization: try graph.batchNorm(x, name: "layer", activation: .silu)
        case .residualNormalization:
            try graph.batchNorm(
                try graph.conv2d(x, name: "inner", outChannels: 6, kernelSize: 1, bias: false), name: "layer",
                adding: x)
        case .relu6: graph.activation(x, .relu6)
        case .silu: graph.activation(x, .silu)
        case .sigmoid: graph.activation(x, .sigmoid)
        case .bilinearUpsampling: try graph.upsample(x, .bilinear)
        case .croppedBilinearUpsampling: try graph.upsample(x, .bilinear, height: 15, width: 20)
        case .nearestUpsampling: try graph.upsample(x, .nearest, height: 19, width: 21)
        case .maxPooling: try graph.maxPool(x)
        case .concatenationOfSizes:
            try graph.concatenate([
                try graph.upsample(try graph.maxPool(x), .nearest),
                x, try graph.conv2d(x, name: "layer", outChannels: 3, kernelSize: 3, bias: true),
            ])
        case .attention:
            try graph.linearAttention(
                theta: try graph.conv2d(x, name: "theta", outChannels: 4, kernelSize: 1, bias: true),
                phi: try graph.maxPool(try graph.conv2d(x, name: "phi", outChannels: 4, kernelSize: 1, bias: true)),
                g: try graph.maxPool(try graph.conv2d(x, name: "g", outChannels: 3, kernelSize: 1, bias: true)))
        }
    }
}

@Suite struct GradientTests {
    private func network(_ layer: LayerUnderTest, precision: Precision) throws -> Network {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 2, height: 10, width: 12)
        let first = try graph.conv2d(input, name: "first", outChannels: 6, kernelSize: 1, bias: true)
        let output = try graph.conv2d(
            try layer.add(first, to: &graph), name: "last", outChannels: 2, kernelSize: 1, bias: true)
        let network = try Network(graph, output: output, precision: precision, training: true)
        network.initializeParameters(seed: 5)
        var stream = RandomStream(seed: 5, name: "image")
        try network.setInput(Tensor(shape: [2, 10, 12], (0..<240).map { _ in Float(stream.uniform(in: -1...1)) }))
        return network
    }

    /// A smooth loss: half the sum of squares of output minus target.
    private func loss(_ network: Network) throws -> (value: Double, gradient: Tensor<Float>) {
        try network.forward()
        var stream = RandomStream(seed: 6, name: "target")
        let gradient = network.result.map { $0 - Float(stream.uniform(in: -1...1)) }
        return (gradient.elements.reduce(0) { $0 + Double($1) * Double($1) } / 2, gradient)
    }

    @Test(arguments: LayerUnderTest.allCases)
    func `the gradient predicts how the loss changes`(layer: LayerUnderTest) throws {
        let network = try network(layer, precision: .f32)
        try network.backward(try loss(network).gradient)
        let gradient = network.flattened(.gradients, trainable: true)
        let parameters = network.flattened(.values, trainable: true)
        let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        try #require(norm > 1e-3)
        // Short enough not to cross many kinks, long enough for f32.
        let reach = 2e-3
        func lossAlongGradient(_ distance: Double) throws -> Double {
            let factor = Float(distance / norm)
            let moved = zip(parameters, gradient).map { $0 + factor * $1 }
            try network.setFlattened(.values, trainable: true, to: moved)
            return try loss(network).value
        }
        let slope = (try lossAlongGradient(reach) - lossAlongGradient(-reach)) / (2 * reach)
        #expect(abs(slope - norm) < 0.01 * norm, "slope \(slope), norm of the gradient \(norm)")
    }

    @Test(arguments: LayerUnderTest.allCases)
    func `bf16 gradients point where f32 gradients do`(layer: LayerUnderTest) throws {
        let gradients = try Precision.allCases.map { precision in
            let network = try network(layer, precision: precision)
            try network.backward(try loss(network).gradient)
            return network.flattened(.gradients, trainable: true).map(Double.init)
        }
        let cosine = cosine(gradients[0], gradients[1])
        #expect(cosine > 0.99, "cosine \(cosine)")
    }

    @Test(arguments: [NetworkGraph.Padding.zero(1), .reflection(1)])
    func `on maps of many rows they do so too, whatever the padding`(padding: NetworkGraph.Padding) throws {
        let size = 252
        let gradients = try Precision.allCases.map { precision in
            var graph = NetworkGraph()
            let input = try graph.input(channels: 3, height: size, width: size)
            let output = try graph.conv2d(
                input, name: "layer", outChannels: 3, kernelSize: 3, padding: padding, bias: true)
            let network = try Network(graph, output: output, precision: precision, training: true)
            network.initializeParameters(seed: 5)
            var stream = RandomStream(seed: 5, name: "image")
            let shape = [3, size, size]
            try network.setInput(Tensor(shape: shape, (0..<3 * size * size).map { _ in Float(stream.uniform()) }))
            try network.backward(try loss(network).gradient)
            return network.flattened(.gradients, trainable: true).map(Double.init)
        }
        let cosine = cosine(gradients[0], gradients[1])
        #expect(cosine > 0.999, "cosine \(cosine)")
    }

    private func cosine(_ left: [Double], _ right: [Double]) -> Double {
        func dot(_ left: [Double], _ right: [Double]) -> Double { zip(left, right).reduce(0) { $0 + $1.0 * $1.1 } }
        return dot(left, right) / (dot(left, left) * dot(right, right)).squareRoot()
    }

    @Test func `a second pass does not add to the gradients of the first`() throws {
        let network = try network(.concatenationOfSizes, precision: .f32)
        let gradient = try loss(network).gradient
        try network.backward(gradient)
        let once = network.flattened(.gradients, trainable: true)
        try network.forward()
        try network.backward(gradient)
        #expect(network.flattened(.gradients, trainable: true) == once)
    }
}
