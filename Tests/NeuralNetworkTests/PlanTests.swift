import NeuralNetwork
import TestSupport
import Tensors
import Testing

/// Graphs whose maps are read in ways that want different memory.
@Suite struct PlanTests {
    private func image(_ channels: Int, _ height: Int, _ width: Int) -> Tensor<Float> {
        var stream = RandomStream(seed: 1, name: "image")
        let count = channels * height * width
        return Tensor(shape: [channels, height, width], (0..<count).map { _ in Float(stream.uniform(in: -1...1)) })
    }

    /// Result and gradients of a network in which one map feeds a convolution that mirrors its edge and, through 1 x 1
    /// convolutions, a linear attention; with `apart`, the attention reads a copy of the map.
    private func branches(apart: Bool, precision: Precision) throws -> (result: Tensor<Float>, gradients: [Float]) {
        var graph = NetworkGraph()
        let x = image(3, 9, 8)
        let input = try graph.input(channels: 3, height: 9, width: 8)
        let first = try graph.conv2d(input, name: "first", outChannels: 6, kernelSize: 1, bias: false)
        let shared = try graph.batchNorm(first, name: "norm", activation: .silu)
        let mirrored = try graph.conv2d(
            shared, name: "mirrored", outChannels: 5, kernelSize: 3, padding: .reflection(1), bias: true)
        let seen = apart ? graph.activation(shared, .identity) : shared
        let attended = try graph.linearAttention(
            theta: try graph.conv2d(seen, name: "theta", outChannels: 4, kernelSize: 1, bias: true),
            phi: try graph.conv2d(seen, name: "phi", outChannels: 4, kernelSize: 1, bias: true),
            g: try graph.conv2d(seen, name: "g", outChannels: 3, kernelSize: 1, bias: true))
        let output = try graph.conv2d(
            try graph.concatenate([mirrored, attended]), name: "last", outChannels: 2, kernelSize: 1, bias: true)
        let network = try Network(graph, output: output, precision: precision, training: true)
        network.initializeParameters(seed: 3)
        try network.setInput(x)
        try network.forward()
        try network.backward(network.result)
        return (network.result, network.flattened(.gradients, trainable: true))
    }

    @Test(arguments: Precision.allCases)
    func `a map may feed a convolution that mirrors its edge and a linear attention`(precision: Precision) throws {
        let together = try branches(apart: false, precision: precision)
        let apart = try branches(apart: true, precision: precision)
        let tolerance = precision == .f32 ? 1e-5 : 0.05
        expectClose(together.result, apart.result.map { Double($0) }, absolute: tolerance, relative: tolerance)
        for (left, right) in zip(together.gradients, apart.gradients) {
            #expect(abs(left - right) <= Float(tolerance) * max(1, abs(right)) * 10, "\(left), \(right)")
        }
    }

    @Test(arguments: [false, true])
    func `training leaves nothing in the padding channels after a sigmoid`(isNormalized: Bool) throws {
        func network() throws -> Network {
            var graph = NetworkGraph()
            let input = try graph.input(channels: 2, height: 6, width: 7)
            let first = try graph.conv2d(input, name: "first", outChannels: 5, kernelSize: 1, bias: true)
            let middle =
                isNormalized
                ? try graph.batchNorm(first, name: "norm", activation: .sigmoid) : graph.activation(first, .sigmoid)
            let output = try graph.conv2d(
                middle, name: "last", outChannels: 3, kernelSize: 3, padding: .reflection(1), bias: true)
            let network = try Network(graph, output: output, precision: .f32, training: true)
            try network.setInput(image(2, 6, 7))
            return network
        }
        let trained = try network()
        trained.initializeParameters(seed: 3)
        for _ in 0..<20 {
            try trained.forward()
            try trained.backward(trained.result.map { $0 - 1 })
            trained.adamStep(learningRate: 0.05)
        }
        // What counts of a network is in its parameters alone.
        let copy = try network()
        for description in trained.parameterDescriptions {
            try copy.setParameter(description.name, to: try trained.parameter(description.name))
        }
        try trained.forward()
        try copy.forward()
        expectClose(trained.result, copy.result.map { Double($0) }, absolute: 1e-6, relative: 1e-6)
    }

    /// The gradient of a parameter in a network of the input, or of a copy of it that has a gradient itself.
    private func gradient(
        of parameter: String, copied: Bool,
        _ build: (inout NetworkGraph, NetworkGraph.Node) throws -> NetworkGraph.Node
    ) throws -> Tensor<Float> {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 4, height: 6, width: 5)
        let x =
            copied ? try graph.conv2d(input, name: "copy", outChannels: 4, kernelSize: 1, bias: false) : input
        let output = try graph.conv2d(
            try build(&graph, x), name: "last", outChannels: 2, kernelSize: 1, bias: true)
        let network = try Network(graph, output: output, precision: .f32, training: true)
        network.initializeParameters(seed: 5)
        if copied {
            let identity = (0..<16).map { Float($0 % 5 == 0 ? 1 : 0) }
            try network.setParameter("copy.weight", to: Tensor(shape: [4, 4, 1, 1], identity))
        }
        try network.setInput(image(4, 6, 5))
        try network.forward()
        try network.backward(network.result)
        return try network.parameter(parameter, .gradients)
    }

    private func expectSameGradient(
        of parameter: String, _ build: (inout NetworkGraph, NetworkGraph.Node) throws -> NetworkGraph.Node
    ) throws {
        let direct = try gradient(of: parameter, copied: false, build)
        let copied = try gradient(of: parameter, copied: true, build)
        #expect(direct.elements.contains { abs($0) > 1e-4 })
        expectClose(direct, copied.map { Double($0) }, absolute: 1e-5, relative: 1e-4)
    }

    @Test func `a batch normalization of the input itself has gradients`() throws {
        try expectSameGradient(of: "norm.weight") { graph, x in
            try graph.batchNorm(x, name: "norm", activation: .silu)
        }
    }

    @Test func `a linear attention with the input as one of its maps has gradients`() throws {
        try expectSameGradient(of: "phi.weight") { graph, x in
            let phi = try graph.conv2d(x, name: "phi", outChannels: 4, kernelSize: 1, bias: true)
            return try graph.linearAttention(theta: x, phi: phi, g: x)
        }
    }

    /// A network of random layers.
    private func randomNetwork(seed: UInt64, training: Bool) throws -> Network {
        var stream = RandomStream(seed: seed, name: "layers")
        var graph = NetworkGraph()
        let input = try graph.input(channels: 3, height: 12, width: 16)
        var maps = [
            try graph.conv2d(input, name: "first", outChannels: 6, kernelSize: 3, padding: .zero(1), bias: true)
        ]
        func any() -> NetworkGraph.Node { maps[stream.index(below: maps.count)] }
        for layer in 0..<14 {
            let x = any()
            let size = graph.shape(of: x)
            switch stream.index(below: 7) {
            case 0:
                maps.append(
                    try graph.conv2d(
                        x, name: "\(layer)", outChannels: 10, kernelSize: 3, padding: .reflection(1), bias: false))
            case 1:
                maps.append(try graph.conv2d(x, name: "\(layer)", outChannels: 4, kernelSize: 1, bias: true))
            case 2 where size.height > 3 && size.width > 3: maps.append(try graph.maxPool(x))
            case 3 where size.height < 40: maps.append(try graph.upsample(x, .nearest))
            case 4: maps.append(graph.activation(x, .leakyReLU(slope: 0.1)))
            case 5 where size.channels < 60: maps.append(try graph.concatenate([x, any(), any()]))
            default:
                let y = try graph.conv2d(
                    x, name: "\(layer)", outChannels: 7, kernelSize: 3, padding: .zero(1), bias: true)
                maps.append(try graph.batchNorm(y, name: "\(layer).norm", activation: .silu))
            }
        }
        let all = try graph.concatenate(Array(maps.suffix(4)))
        let output = try graph.conv2d(all, name: "last", outChannels: 3, kernelSize: 1, bias: true)
        let network = try Network(graph, output: output, precision: .f32, training: training)
        network.initializeParameters(seed: seed)
        try network.setInput(image(3, 12, 16))
        return network
    }

    @Test(arguments: 0..<16 as Range<UInt64>)
    func `a random network answers the same whether maps share memory or not`(seed: UInt64) throws {
        let inference = try randomNetwork(seed: seed, training: false)
        let training = try randomNetwork(seed: seed, training: true)
        #expect(inference.arenaByteCount < training.arenaByteCount)
        for _ in 0..<2 {
            try inference.forward()
            try training.forward()
            expectClose(inference.result, training.result.map { Double($0) }, absolute: 1e-4, relative: 1e-4)
        }
    }
}
