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
    func `training leaves nothing in the padding channels behind a sigmoid`(isNormalized: Bool) throws {
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
            trained.adamStep(rate: 0.05)
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
}
