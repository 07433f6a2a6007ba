import Foundation
import NeuralNetwork
import TestSupport
import Tensors
import Testing

/// Layers of networks that are only run, against their definitions in double precision.
@Suite struct InferenceLayerTests {
    private func image(_ channels: Int, _ height: Int, _ width: Int) -> Tensor<Float> {
        var stream = RandomStream(seed: 1, name: "image")
        let count = channels * height * width
        return Tensor(shape: [channels, height, width], (0..<count).map { _ in Float(stream.uniform(in: -1...1)) })
    }

    private func vector(_ count: Int, name: String) -> [Float] {
        var stream = RandomStream(seed: 2, name: name)
        return (0..<count).map { _ in Float(stream.uniform(in: -1...1)) }
    }

    /// Runs a graph that `build` makes of an image and the vectors named.
    private func run(
        _ image: Tensor<Float>, vectors: [String: [Float]] = [:], keepsWeights: Bool = true,
        precision: Precision = .f32, parameters: [String: Tensor<Float>] = [:],
        _ build: (NetworkGraph.Node, inout NetworkGraph) throws -> NetworkGraph.Node
    ) throws -> Network {
        var graph = NetworkGraph()
        let input = try graph.input(channels: image.shape[0], height: image.shape[1], width: image.shape[2])
        let output = try build(input, &graph)
        let network = try Network(
            graph, output: output, precision: precision, training: false, keepsWeights: keepsWeights)
        if keepsWeights { network.initializeParameters(seed: 3) }
        for (name, value) in parameters { try network.setParameter(name, to: value) }
        for (name, values) in vectors { try network.setVector(name, to: values) }
        try network.setInput(image)
        try network.forward()
        return network
    }

    /// A random tensor for every parameter of a network, for one that keeps none.
    private func parameters(of network: Network) throws -> [String: Tensor<Float>] {
        try Dictionary(
            uniqueKeysWithValues: network.parameterDescriptions.map { ($0.name, try network.parameter($0.name)) })
    }

    private func doubles(_ tensor: Tensor<Float>) -> [Double] { tensor.elements.map(Double.init) }

    @Test(arguments: [(32, 32), (24, 4), (6, 3), (40, 1)], [false, true])
    func `a group normalization is its definition`(size: (channels: Int, groups: Int), isModulated: Bool) throws {
        let (channels, groups) = size
        let x = image(channels, 5, 7).map { $0 * 3 + 20 }
        let modulation = vector(2 * channels, name: "modulation")
        let weight = vector(channels, name: "weight")
        let bias = vector(channels, name: "bias")
        let network = try run(
            x, vectors: isModulated ? ["m": modulation] : [:],
            parameters: [
                "norm.weight": Tensor(shape: [channels], weight), "norm.bias": Tensor(shape: [channels], bias),
            ]
        ) { input, graph in
            let node = isModulated ? try graph.vector(name: "m", count: 2 * channels) : nil
            return try graph.groupNorm(
                input, name: "norm", groups: groups, epsilon: 1e-3, modulatedBy: node, activation: .silu)
        }
        let members = channels / groups
        let pixels = doubles(x)
        let expected = (0..<channels).flatMap { channel -> [Double] in
            let start = channel / members * members * 35
            let group = pixels[start..<start + members * 35]
            let mean = group.reduce(0, +) / Double(group.count)
            let variance = group.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(group.count)
            return pixels[channel * 35..<(channel + 1) * 35].map { pixel in
                var value = (pixel - mean) / (variance + 1e-3).squareRoot() * Double(weight[channel])
                value += Double(bias[channel])
                if isModulated {
                    value = value * (1 + Double(modulation[channel])) + Double(modulation[channels + channel])
                }
                return value / (1 + Foundation.exp(-value))
            }
        }
        expectClose(doubles(network.result), expected, absolute: 1e-5, relative: 1e-5)
    }

    /// Channels that are no whole blocks, heads that start inside one, pixels that are no whole vectors.
    @Test(arguments: [(1, 16), (2, 8), (3, 5), (2, 40), (4, 64)], [NetworkGraph.HeadOrder.headsFirst, .queriesFirst])
    func `attention is its definition`(shape: (heads: Int, width: Int), order: NetworkGraph.HeadOrder) throws {
        let (heads, width) = shape
        let channels = heads * width
        let (height, columns) = (5, 9)
        let pixels = height * columns
        let x = image(3 * channels, height, columns)
        let values = doubles(x)
        func row(_ head: Int, _ part: Int, _ channel: Int, _ pixel: Int) -> Double {
            let index =
                order == .headsFirst
                ? (head * 3 + part) * width + channel : part * channels + head * width + channel
            return values[index * pixels + pixel]
        }
        var expected = [Double](repeating: 0, count: channels * pixels)
        for head in 0..<heads {
            for query in 0..<pixels {
                let scores = (0..<pixels).map { key in
                    (0..<width).reduce(0) { $0 + row(head, 0, $1, query) * row(head, 1, $1, key) }
                        / Double(width).squareRoot()
                }
                let weights = scores.map { Foundation.exp($0) }
                let sum = weights.reduce(0, +)
                for channel in 0..<width {
                    expected[(head * width + channel) * pixels + query] =
                        (0..<pixels).reduce(0) { $0 + weights[$1] * row(head, 2, channel, $1) } / sum
                }
            }
        }
        for precision in Precision.allCases {
            let network = try run(x, precision: precision) { input, graph in
                try graph.attention(input, heads: heads, order: order)
            }
            let tolerance = precision == .f32 ? 1e-5 : 1.5e-2
            expectClose(doubles(network.result), expected, absolute: tolerance, "\(precision)")
        }
    }

    @Test func `a linear layer multiplies, and adds bias and addend`() throws {
        let x = vector(37, name: "x")
        let addend = vector(21, name: "addend")
        // Vectors are seen through the bias that they are to a convolution with weights of 0.
        let network = try run(
            image(1, 1, 1), vectors: ["x": x, "a": addend],
            parameters: ["see.weight": Tensor(shape: [21, 1, 1, 1]), "see.bias": Tensor(shape: [21])]
        ) { input, graph in
            let y = try graph.linear(
                try graph.vector(name: "x", count: 37), name: "linear", outputs: 21,
                adding: try graph.vector(name: "a", count: 21))
            return try graph.conv2d(
                input, name: "see", outChannels: 21, kernelSize: 1, bias: true, biasVector: graph.activation(y, .silu))
        }
        let weight = try network.parameter("linear.weight")
        let bias = try network.parameter("linear.bias")
        let expected = (0..<21).map { output -> Double in
            var sum = Double(bias[output]) + Double(addend[output])
            for index in 0..<37 { sum += Double(weight[output * 37 + index]) * Double(x[index]) }
            return sum / (1 + Foundation.exp(-sum))
        }
        expectClose(doubles(network.result), expected, absolute: 1e-5)
    }

    @Test(arguments: Precision.allCases)
    func `a convolution adds a map and a vector to what it would give without`(precision: Precision) throws {
        let x = image(5, 6, 7)
        let v = vector(20, name: "v")
        func convolve(adds: Bool) throws -> [Double] {
            let network = try run(x, vectors: ["v": v], precision: precision) { input, graph in
                let residual = try graph.conv2d(input, name: "r", outChannels: 20, kernelSize: 1, bias: true)
                let vector = try graph.vector(name: "v", count: 20)
                return try graph.conv2d(
                    input, name: "c", outChannels: 20, kernelSize: 3, padding: .zero(1), bias: true,
                    biasVector: adds ? vector : nil, adding: adds ? residual : nil)
            }
            return doubles(network.result)
        }
        let plain = try convolve(adds: false)
        let residual = try run(x, precision: precision) { input, graph in
            try graph.conv2d(input, name: "r", outChannels: 20, kernelSize: 1, bias: true)
        }
        let addends = doubles(residual.result)
        let expected = plain.indices.map { plain[$0] + addends[$0] + Double(v[$0 / 42]) }
        expectClose(try convolve(adds: true), expected, absolute: precision == .f32 ? 1e-5 : 2e-2)
    }

    @Test func `zeros after the last row and column are padding on those sides alone`() throws {
        let x = image(3, 6, 8)
        let strided = try run(x) { input, graph in
            try graph.conv2d(
                input, name: "c", outChannels: 4, kernelSize: 3, stride: 2, padding: .trailingZero(1), bias: true)
        }
        #expect(strided.result.shape == [4, 3, 4])
        let full = try run(x) { input, graph in
            try graph.conv2d(input, name: "c", outChannels: 4, kernelSize: 3, padding: .zero(1), bias: true)
        }
        let expected = (0..<4 * 12).map { index -> Float in
            let (channel, row, column) = (index / 12, index % 12 / 4, index % 4)
            return full.result[(channel * 6 + 2 * row + 1) * 8 + 2 * column + 1]
        }
        expectClose(strided.result.elements, expected, absolute: 1e-6)
    }

    @Test(arguments: Precision.allCases)
    func `a convolution of an upsampled map is that of the map as it would be`(precision: Precision) throws {
        let x = image(5, 3, 4)
        let large = (0..<5 * 48).map { index in
            x[index / 48 * 12 + index % 48 / 8 / 2 * 4 + index % 8 / 2]
        }
        func convolve(_ image: Tensor<Float>, enlarges: Bool) throws -> Tensor<Float> {
            try run(image, vectors: ["v": vector(20, name: "v")], precision: precision) { input, graph in
                try graph.conv2d(
                    enlarges ? try graph.upsample(input, .nearest) : input, name: "c", outChannels: 20, kernelSize: 3,
                    padding: .zero(1), bias: true, biasVector: try graph.vector(name: "v", count: 20))
            }.result
        }
        expectClose(
            try convolve(x, enlarges: true), try convolve(Tensor(shape: [5, 6, 8], large), enlarges: false),
            absolute: precision == .f32 ? 1e-5 : 2e-2)
    }

    @Test func `average pooling takes the mean of each four pixels`() throws {
        let x = image(3, 5, 6)
        let network = try run(x) { input, graph in try graph.averagePool(input) }
        let expected = (0..<3 * 6).map { index -> Double in
            let (channel, row, column) = (index / 6, index % 6 / 3, index % 3)
            let start = (channel * 5 + row * 2) * 6 + column * 2
            var sum = 0.0
            for offset in [0, 1, 6, 7] { sum += Double(x[start + offset]) }
            return sum / 4
        }
        expectClose(doubles(network.result), expected, absolute: 1e-6)
    }

    @Test(arguments: Precision.allCases)
    func `a network that keeps no weights gives the same bytes as one that does`(precision: Precision) throws {
        // A skip that is read twice and concatenated, with channels that are no whole blocks.
        func build(_ input: NetworkGraph.Node, _ graph: inout NetworkGraph) throws -> NetworkGraph.Node {
            let skip = try graph.conv2d(input, name: "a", outChannels: 24, kernelSize: 3, padding: .zero(1), bias: true)
            let halved = try graph.conv2d(
                skip, name: "b", outChannels: 40, kernelSize: 3, stride: 2, padding: .zero(1), bias: true)
            let deep = try graph.upsample(halved, .nearest)
            let joined = try graph.groupNorm(
                try graph.concatenate([deep, skip]), name: "n", groups: 8, activation: .silu)
            return try graph.conv2d(joined, name: "d", outChannels: 3, kernelSize: 1, bias: true)
        }
        let x = image(3, 8, 10)
        let keeping = try run(x, precision: precision, build)
        let other = try run(
            x, keepsWeights: false, precision: precision, parameters: try parameters(of: keeping), build)
        #expect(other.result == keeping.result)
        #expect { try other.parameter("a.weight") } throws: { "\($0)".contains("a.weight") }
        #expect(try other.parameter("a.bias") == keeping.parameter("a.bias"))
    }

    @Test func `a map may be joined many times`() throws {
        let x = image(16, 3, 5)
        let network = try run(x) { input, graph in
            let a = try graph.conv2d(input, name: "a", outChannels: 16, kernelSize: 1, bias: true)
            let twice = try graph.concatenate([a, a])
            return try graph.concatenate([twice, graph.activation(a, .identity), a])
        }
        let result = network.result.elements
        let part = Array(result.prefix(x.count))
        #expect(part.contains { $0 != 0 })
        #expect(result == part + part + part + part)
    }

    @Test func `layers without a backward pass are refused in training`() throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 32, height: 4, width: 4)
        let output = try graph.groupNorm(input, name: "norm")
        #expect { try Network(graph, output: output, training: true) } throws: {
            "\($0)".contains("group normalization")
        }
    }

    @Test func `vectors that do not fit are refused by name`() throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 4, height: 4, width: 4)
        let vector = try graph.vector(name: "time", count: 5)
        #expect { _ = try graph.groupNorm(input, name: "n", groups: 2, modulatedBy: vector) } throws: {
            "\($0)".contains("n: a modulation")
        }
        #expect { _ = try graph.groupNorm(input, name: "n", groups: 3) } throws: { "\($0)".contains("3 groups") }
        #expect { _ = try graph.linear(input, name: "l", outputs: 3) } throws: { "\($0)".contains("l:") }
        let output = try graph.conv2d(
            input, name: "c", outChannels: 5, kernelSize: 1, bias: true, biasVector: vector)
        let network = try Network(graph, output: output, precision: .f32, training: false)
        #expect { try network.setVector("time", to: [1]) } throws: { "\($0)".contains("5 numbers") }
        #expect { try network.setVector("space", to: [1]) } throws: { "\($0)".contains("space") }
    }
}
