import NeuralNetwork
import Testing

@Suite struct `Layout decisions` {
    private func decisions(
        _ graph: NetworkGraph, layout: MapLayout = .blocked, training: Bool = false, fusesUpsampling: Bool = true
    ) -> MapDecisions {
        MapDecisions(graph, layout: layout, block: 8, training: training, fusesUpsampling: fusesUpsampling)
    }

    // MARK: Halos

    @Test func `a map is made with the halo that a convolution mirrors into`() throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 8, height: 9, width: 9)
        let norm = try graph.batchNorm(input, name: "norm")
        let output = try graph.conv2d(
            norm, name: "conv", outChannels: 8, kernelSize: 5, padding: .reflection(2), bias: false)
        let halos = decisions(graph).halos
        #expect(halos[norm.index] == 2 && halos[input.index] == 0 && halos[output.index] == 0)
        let geometry = decisions(graph).geometry(of: norm.index)
        #expect(geometry.physicalHeight == 13 && geometry.scalarCount == 8 * 13 * 13)
    }

    @Test func `a convolution writes no halo, and one of a pixel passes its input's on`() throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 8, height: 9, width: 9)
        let first = try graph.conv2d(input, name: "first", outChannels: 8, kernelSize: 3, padding: .zero(1), bias: true)
        let second = try graph.conv2d(
            first, name: "second", outChannels: 8, kernelSize: 3, padding: .reflection(1), bias: true)
        let norm = try graph.batchNorm(second, name: "norm")
        let small = try graph.conv2d(norm, name: "small", outChannels: 4, kernelSize: 1, bias: true)
        _ = try graph.conv2d(norm, name: "third", outChannels: 8, kernelSize: 3, padding: .reflection(1), bias: true)
        let halos = decisions(graph).halos
        #expect(halos[first.index] == 0)
        #expect(halos[norm.index] == 1 && halos[small.index] == 1)
    }

    @Test func `what a linear attention reads has no halo`() throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 8, height: 9, width: 9)
        let norm = try graph.batchNorm(input, name: "norm")
        let theta = try graph.conv2d(norm, name: "theta", outChannels: 8, kernelSize: 1, bias: true)
        _ = try graph.conv2d(norm, name: "conv", outChannels: 8, kernelSize: 3, padding: .reflection(1), bias: true)
        _ = try graph.linearAttention(theta: theta, phi: theta, g: theta)
        let halos = decisions(graph).halos
        #expect(halos[norm.index] == 1 && halos[theta.index] == 0)
    }

    // MARK: Concatenations

    private struct Joined {
        var graph = NetworkGraph()
        let norm: NetworkGraph.Node
        let conv: NetworkGraph.Node
        let whole: NetworkGraph.Node

        /// - Parameter readTwice: whether something else reads the normalized map.
        init(readTwice: Bool = false) throws {
            let input = try graph.input(channels: 3, height: 6, width: 6)
            let first = try graph.conv2d(input, name: "first", outChannels: 12, kernelSize: 1, bias: true)
            norm = try graph.batchNorm(first, name: "norm")
            conv = try graph.conv2d(input, name: "conv", outChannels: 5, kernelSize: 1, bias: true)
            whole = try graph.concatenate([norm, conv])
            if readTwice { _ = graph.activation(norm, .relu6) }
        }
    }

    @Test func `parts of a concatenation start at blocks of their own`() throws {
        let joined = try Joined()
        let decisions = decisions(joined.graph)
        #expect(decisions.placements[joined.norm.index] == .init(concatenation: joined.whole.index, firstBlock: 0))
        #expect(decisions.placements[joined.conv.index] == .init(concatenation: joined.whole.index, firstBlock: 2))
        #expect(decisions.geometry(of: joined.whole.index).blocks == 3)
    }

    @Test func `while training, only what is written through views and read once lies in a concatenation`() throws {
        let once = try Joined()
        #expect(decisions(once.graph, training: true).placements.keys.sorted() == [once.norm.index])
        let twice = try Joined(readTwice: true)
        #expect(decisions(twice.graph, training: true).placements.isEmpty)
        #expect(decisions(twice.graph).placements.count == 2)
    }

    @Test func `with channels last, convolutions want maps of their own`() throws {
        let joined = try Joined()
        #expect(decisions(joined.graph, layout: .channelsLast).placements.keys.sorted() == [joined.norm.index])
    }

    @Test func `the input keeps its own place`() throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 8, height: 6, width: 6)
        _ = try graph.concatenate([input, graph.activation(input, .relu6)])
        #expect(decisions(graph).placements[input.index] == nil)
    }

    // MARK: Upsampling

    struct Upsampled: Sendable, CustomTestStringConvertible {
        var name: String
        var kind = NetworkGraph.Upsampling.nearest
        var kernelSize = 3
        var hasBias = true
        var isReadTwice = false
        var isFused = false
        var testDescription: String { name }

        static let all = [
            Upsampled(name: "by repetition", isFused: true), Upsampled(name: "bilinear", kind: .bilinear),
            Upsampled(name: "5 x 5", kernelSize: 5), Upsampled(name: "no bias", hasBias: false),
            Upsampled(name: "read twice", isReadTwice: true),
        ]
    }

    @Test(arguments: Upsampled.all)
    func `a convolution is fused with the repetition before it where that is all that reads it`(
        _ which: Upsampled
    ) throws {
        var graph = NetworkGraph()
        let input = try graph.input(channels: 8, height: 6, width: 6)
        let large = try graph.upsample(input, which.kind)
        let conv = try graph.conv2d(
            large, name: "conv", outChannels: 8, kernelSize: which.kernelSize, padding: .zero(which.kernelSize / 2),
            bias: which.hasBias)
        if which.isReadTwice { _ = graph.activation(large, .relu6) }
        #expect(decisions(graph).fusedUpsamplings[conv.index]?.source == (which.isFused ? input.index : nil))
        #expect(decisions(graph, fusesUpsampling: false).fusedUpsamplings.isEmpty)
    }
}
