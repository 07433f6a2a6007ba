import DeepImagePrior
import NeuralNetwork
import TestSupport
import Tensors
import Testing

@Suite struct SkipNetworkTests {
    @Test func `the paper's network has 2.36 million parameters`() throws {
        let (graph, output) = try SkipNetwork().graph(height: 64, width: 64)
        let network = try Network(graph, output: output, outputActivation: .sigmoid, precision: .f32, training: true)
        #expect((2_340_000...2_370_000).contains(network.trainableParameterCount))
    }

    /// The small networks of the golden numbers: 8 channels, 4 across, other sizes and depths.
    private func goldenNetwork(_ group: String, scales: Int, precision: Precision) throws -> Network {
        let golden = GoldenNumbers.dip
        let input = try golden.floats("\(group)/input")
        let shape = Array(input.shape.suffix(3))
        var description = SkipNetwork()
        description.channels = 8
        description.skipChannels = 4
        description.scales = scales
        let (graph, output) = try description.graph(height: shape[1], width: shape[2])
        let network = try Network(
            graph, output: output, outputActivation: .sigmoid, precision: precision, training: true)
        for parameter in network.parameterDescriptions where parameter.isTrainable {
            let value = try golden.floats("\(group)/parameters/\(parameter.name)")
            try network.setParameter(parameter.name, to: value)
        }
        try network.setInput(input.reshaped(shape))
        return network
    }

    @Test(arguments: [("dip_small", 3), ("dip_odd", 4)])
    func `output and gradients equal PyTorch's`(group: String, scales: Int) throws {
        let golden = GoldenNumbers.dip
        let network = try goldenNetwork(group, scales: scales, precision: .f32)
        try network.forward()
        let expected = try golden.doubles("\(group)/output_f64")
        expectClose(network.result, expected.reshaped(network.result.shape), absolute: 1e-6, relative: 1e-4)

        let cotangent = try golden.floats("\(group)/cotangent").reshaped(network.result.shape)
        let count = Float(cotangent.count)
        try network.backward(cotangent.map { $0 / count })
        let names = network.parameterDescriptions.filter(\.isTrainable).map(\.name)
        for name in names {
            let expected = try golden.doubles("\(group)/gradients_f64/\(name)")
            let largest = expected.elements.map(abs).max() ?? 0
            expectClose(
                try network.parameter(name, .gradients), expected, absolute: 1e-4 * largest + 1e-8, relative: 1e-4,
                "\(name)")
        }
    }

    @Test(arguments: [("dip_small", 3), ("dip_odd", 4)])
    func `the biases that the network leaves out have no gradient in PyTorch either`(
        group: String, scales: Int
    ) throws {
        let golden = GoldenNumbers.dip
        let network = try goldenNetwork(group, scales: scales, precision: .f32)
        let ours = Set(network.parameterDescriptions.map(\.name))
        let theirs = try golden.children(of: "\(group)/parameters")
        let left = theirs.filter { !ours.contains($0) }
        #expect(!left.isEmpty)
        for name in left {
            let gradient = try golden.doubles("\(group)/gradients_f64/\(name)")
            #expect(name.hasSuffix("bias") && gradient.elements.allSatisfy { abs($0) < 1e-12 }, "\(name)")
        }
    }

    @Test(arguments: [("dip_small", 3), ("dip_odd", 4)])
    func `bf16 stays near f32`(group: String, scales: Int) throws {
        let exact = try goldenNetwork(group, scales: scales, precision: .f32)
        let rounded = try goldenNetwork(group, scales: scales, precision: .bf16)
        try exact.forward()
        try rounded.forward()
        let squares = zip(exact.result.elements, rounded.result.elements).map { ($0 - $1) * ($0 - $1) }
        #expect((squares.reduce(0, +) / Float(squares.count)).squareRoot() < 0.03)
    }

    @Test func `the same seed trains to the same bytes, another seed does not`() throws {
        func train(seed: UInt64, precision: Precision) throws -> Tensor<Float> {
            var description = SkipNetwork()
            description.channels = 8
            description.skipChannels = 4
            let (graph, output) = try description.graph(height: 40, width: 36)
            let network = try Network(
                graph, output: output, outputActivation: .sigmoid, precision: precision, training: true)
            network.initializeParameters(seed: seed)
            var stream = RandomStream(seed: seed, name: "input")
            try network.setInput(Tensor(shape: [3, 40, 36], (0..<4320).map { _ in Float(stream.uniform()) }))
            for _ in 0..<3 {
                try network.forward()
                try network.backward(network.result)
                network.adamStep(learningRate: 0.01)
            }
            return network.result
        }
        for precision in Precision.allCases {
            #expect(try train(seed: 1, precision: precision) == train(seed: 1, precision: precision))
        }
        #expect(try train(seed: 1, precision: .f32) != train(seed: 2, precision: .f32))
    }
}
