import NeuralNetwork
import TestSupport
import Tensors
import Testing

@Suite struct LayerTests {
    private func image(_ channels: Int, _ height: Int, _ width: Int) -> Tensor<Float> {
        var stream = RandomStream(seed: 1, name: "image")
        let count = channels * height * width
        return Tensor(shape: [channels, height, width], (0..<count).map { _ in Float(stream.uniform(in: -1...1)) })
    }

    private func run(
        _ image: Tensor<Float>, training: Bool = false, seed: UInt64 = 3,
        _ build: (NetworkGraph.Node, inout NetworkGraph) throws -> NetworkGraph.Node
    ) throws -> Network {
        var graph = NetworkGraph()
        let input = try graph.input(channels: image.shape[0], height: image.shape[1], width: image.shape[2])
        let output = try build(input, &graph)
        let network = try Network(graph, output: output, precision: .f32, training: training)
        network.initializeParameters(seed: seed)
        try network.setInput(image)
        try network.forward()
        return network
    }

    /// The definition of a convolution, in double precision; `reflects` mirrors about the edge pixels, else zeros.
    private func convolution(
        _ x: Tensor<Float>, _ weight: Tensor<Float>, _ bias: Tensor<Float>, stride: Int, padding: Int, reflects: Bool
    ) -> Tensor<Double> {
        let (height, width) = (x.shape[1], x.shape[2])
        let (out, input, size) = (weight.shape[0], weight.shape[1], weight.shape[2])
        func mirrored(_ index: Int, _ extent: Int) -> Int {
            index < 0 ? -index : index >= extent ? 2 * (extent - 1) - index : index
        }
        let rows = (height + 2 * padding - size) / stride + 1
        let columns = (width + 2 * padding - size) / stride + 1
        var result = Tensor<Double>(shape: [out, rows, columns])
        for o in 0..<out {
            for row in 0..<rows {
                for column in 0..<columns {
                    var sum = Double(bias[o])
                    for i in 0..<input {
                        for u in 0..<size {
                            for v in 0..<size {
                                var r = row * stride + u - padding
                                var c = column * stride + v - padding
                                if reflects {
                                    r = mirrored(r, height)
                                    c = mirrored(c, width)
                                }
                                guard (0..<height).contains(r), (0..<width).contains(c) else { continue }
                                sum +=
                                    Double(weight[((o * input + i) * size + u) * size + v])
                                    * Double(x[(i * height + r) * width + c])
                            }
                        }
                    }
                    result[(o * rows + row) * columns + column] = sum
                }
            }
        }
        return result
    }

    struct ConvolutionCase: Sendable, CustomTestStringConvertible {
        var channels: (Int, Int)
        var size: (Int, Int)
        var kernel: Int
        var stride: Int
        var padding: NetworkGraph.Padding
        var testDescription: String { "\(channels) \(size) kernel \(kernel) stride \(stride) \(padding)" }
    }

    @Test(arguments: [
        ConvolutionCase(channels: (3, 16), size: (9, 7), kernel: 3, stride: 1, padding: .zero(1)),
        ConvolutionCase(channels: (3, 5), size: (9, 7), kernel: 3, stride: 1, padding: .reflection(1)),
        ConvolutionCase(channels: (20, 33), size: (8, 10), kernel: 3, stride: 2, padding: .reflection(1)),
        ConvolutionCase(channels: (17, 8), size: (11, 6), kernel: 1, stride: 1, padding: .zero(0)),
        ConvolutionCase(channels: (4, 9), size: (12, 12), kernel: 5, stride: 3, padding: .zero(2)),
        ConvolutionCase(channels: (1, 1), size: (3, 3), kernel: 3, stride: 1, padding: .reflection(1)),
    ])
    func `a convolution is what its definition says`(given: ConvolutionCase) throws {
        let x = image(given.channels.0, given.size.0, given.size.1)
        let network = try run(x) { input, graph in
            try graph.conv2d(
                input, name: "c", outChannels: given.channels.1, kernelSize: given.kernel, stride: given.stride,
                padding: given.padding, bias: true)
        }
        var reflects = false
        if case .reflection = given.padding { reflects = true }
        let amount =
            switch given.padding {
            case .zero(let amount), .trailingZero(let amount), .reflection(let amount): amount
            }
        let expected = convolution(
            x, try network.parameter("c.weight"), try network.parameter("c.bias"), stride: given.stride,
            padding: amount, reflects: reflects)
        expectClose(network.result, expected, absolute: 1e-5, relative: 1e-5)
    }

    @Test func `one map may feed convolutions with and without padding`() throws {
        let x = image(3, 10, 9)
        let network = try run(x, training: true) { input, graph in
            let padded = try graph.conv2d(
                input, name: "a", outChannels: 4, kernelSize: 3, padding: .reflection(1), bias: true)
            let plain = try graph.conv2d(
                input, name: "b", outChannels: 4, kernelSize: 3, padding: .zero(1), bias: true)
            return try graph.conv2d(
                try graph.concatenate([padded, plain]), name: "c", outChannels: 2, kernelSize: 1, bias: true)
        }
        let a = convolution(
            x, try network.parameter("a.weight"), try network.parameter("a.bias"), stride: 1, padding: 1,
            reflects: true)
        let b = convolution(
            x, try network.parameter("b.weight"), try network.parameter("b.bias"), stride: 1, padding: 1,
            reflects: false)
        let both = Tensor<Float>(shape: [8, 10, 9], (a.elements + b.elements).map { Float($0) })
        let expected = convolution(
            both, try network.parameter("c.weight"), try network.parameter("c.bias"), stride: 1, padding: 0,
            reflects: false)
        expectClose(network.result, expected, absolute: 1e-5, relative: 1e-5)
    }

    @Test func `batch norm with running statistics uses them`() throws {
        let x = image(2, 5, 6)
        let network = try run(x, training: true) { input, graph in
            try graph.batchNorm(input, name: "n", activation: .relu6)
        }
        try network.setParameter("n.running_mean", to: Tensor(shape: [2], [0.5, -0.25]))
        try network.setParameter("n.running_var", to: Tensor(shape: [2], [4, 0.25]))
        try network.setParameter("n.weight", to: Tensor(shape: [2], [2, 20]))
        try network.setParameter("n.bias", to: Tensor(shape: [2], [0.1, 3]))
        try network.forward(useRunningStatistics: true)
        let expected = x.elements.enumerated().map { index, value -> Double in
            let first = index < 30
            let normalized = (Double(value) - (first ? 0.5 : -0.25)) / ((first ? 4 : 0.25) + 1e-5).squareRoot()
            return min(max(normalized * (first ? 2 : 20) + (first ? 0.1 : 3), 0), 6)
        }
        expectClose(network.result, Tensor(shape: [2, 5, 6], expected), absolute: 1e-5, relative: 1e-5)
    }

    @Test func `the running statistics follow the batch's with momentum 0.1 and the unbiased variance`() throws {
        let x = image(1, 4, 5)
        let network = try run(x, training: true) { input, graph in try graph.batchNorm(input, name: "n") }
        let values = x.elements.map(Double.init)
        let mean = values.reduce(0, +) / 20
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 19
        #expect(abs(Double(try network.parameter("n.running_mean")[0]) - 0.1 * mean) < 1e-6)
        #expect(abs(Double(try network.parameter("n.running_var")[0]) - (0.9 + 0.1 * variance)) < 1e-6)
    }

    @Test func `sizes that do not fit are refused by name`() throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 3, height: 4, width: 4)
        #expect {
            _ = try graph.conv2d(input, name: "deep.conv", outChannels: 1, kernelSize: 7, bias: false)
        } throws: { error in
            (error as? NeuralNetworkError)?.code == .shape && "\(error)".contains("deep.conv")
        }
        let output = try graph.conv2d(input, name: "c", outChannels: 1, kernelSize: 1, bias: true)
        let network = try Network(graph, output: output, precision: .f32, training: false)
        #expect {
            try network.setParameter("c.weight", to: Tensor(shape: [1, 2, 1, 1]))
        } throws: { error in
            "\(error)".contains("c.weight has shape [1, 3, 1, 1]")
        }
        #expect { _ = try network.parameter("d.weight") } throws: { error in "\(error)".contains("d.weight") }
    }
}
