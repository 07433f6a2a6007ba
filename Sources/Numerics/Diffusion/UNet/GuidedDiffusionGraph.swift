import NeuralNetwork

extension GuidedDiffusionConfiguration: UNetDescription {
    var timestepEmbedding: TimestepEmbedding {
        TimestepEmbedding(count: modelChannels, cosinesFirst: true, frequencyShift: 0)
    }

    var hasAttention: Bool { attentionReductions.contains { $0 < 1 << levels } }

    private var embeddingCount: Int { UNetConfiguration.embeddingFactor * modelChannels }

    var labelTable: (name: String, shape: [Int])? {
        classCount.map { ("label_emb.weight", [$0, embeddingCount]) }
    }

    func graph(height: Int, width: Int) throws -> (graph: NetworkGraph, output: NetworkGraph.Node) {
        var builder = try GuidedDiffusionBuilder(self, height: height, width: width)
        let output = try builder.build()
        return (builder.graph, output)
    }
}

/// Builds the graph level by level. Parameters are named by their places in the original's nested module lists.
private struct GuidedDiffusionBuilder {
    private enum Resampling {
        case down
        case up
    }

    let configuration: GuidedDiffusionConfiguration
    private(set) var graph = NetworkGraph()
    private var x: NetworkGraph.Node
    /// SiLU of the embedding of timestep and class.
    private var embedding: NetworkGraph.Node

    init(_ configuration: GuidedDiffusionConfiguration, height: Int, width: Int) throws {
        self.configuration = configuration
        let count = UNetConfiguration.embeddingFactor * configuration.modelChannels
        let timestep = try graph.vector(name: UNetVector.timestep, count: configuration.modelChannels)
        let hidden = graph.activation(try graph.linear(timestep, name: "time_embed.0", outputs: count), .silu)
        let label =
            configuration.classCount == nil ? nil : try graph.vector(name: UNetVector.label, count: count)
        let sum = try graph.linear(hidden, name: "time_embed.2", outputs: count, adding: label)
        embedding = graph.activation(sum, .silu)
        x = try graph.input(channels: configuration.inChannels, height: height, width: width)
    }

    mutating func build() throws -> NetworkGraph.Node {
        x = try graph.conv2d(
            x, name: "input_blocks.0.0", outChannels: configuration.channels(ofLevel: 0), kernelSize: 3,
            padding: .zero(1), bias: true)
        var skips = [x]
        var block = 1
        for level in 0..<configuration.levels {
            for _ in 0..<configuration.residualBlocks {
                try addResidualBlock("input_blocks.\(block).0", channels: configuration.channels(ofLevel: level))
                try addAttention("input_blocks.\(block).1", level: level, heads: configuration.heads)
                skips.append(x)
                block += 1
            }
            if level + 1 < configuration.levels {
                try addResampling("input_blocks.\(block).0", .down)
                skips.append(x)
                block += 1
            }
        }
        let deepest = graph.shape(of: x).channels
        try addResidualBlock("middle_block.0", channels: deepest)
        try addAttention("middle_block.1", heads: configuration.heads)
        try addResidualBlock("middle_block.2", channels: deepest)
        try buildWayUp(skips)
        x = try graph.groupNorm(x, name: "out.0", activation: .silu)
        return try graph.conv2d(
            x, name: "out.2", outChannels: configuration.outChannels, kernelSize: 3, padding: .zero(1), bias: true)
    }

    private mutating func buildWayUp(_ skips: [NetworkGraph.Node]) throws {
        var skips = skips
        var block = 0
        for level in (0..<configuration.levels).reversed() {
            for index in 0...configuration.residualBlocks {
                x = try graph.concatenate([x, skips.removeLast()])
                try addResidualBlock("output_blocks.\(block).0", channels: configuration.channels(ofLevel: level))
                var position = 1
                if try addAttention(
                    "output_blocks.\(block).1", level: level,
                    heads: configuration.upsamplingHeads ?? configuration.heads)
                {
                    position = 2
                }
                if level > 0, index == configuration.residualBlocks {
                    try addResampling("output_blocks.\(block).\(position)", .up)
                }
                block += 1
            }
        }
    }

    /// x + F(x), F = norm, SiLU, convolution, norm with the embedding, SiLU, convolution; a 1 x 1 convolution of x where
    /// the channels change; both resampled in front of the first convolution.
    private mutating func addResidualBlock(_ name: String, channels: Int, resampling: Resampling? = nil) throws {
        let changesChannels = graph.shape(of: x).channels != channels
        var h = try graph.groupNorm(x, name: "\(name).in_layers.0", activation: .silu)
        if let resampling {
            h = try resample(h, resampling)
            x = try resample(x, resampling)
        }
        let vector = try graph.linear(
            embedding, name: "\(name).emb_layers.1", outputs: configuration.usesScaleShift ? 2 * channels : channels)
        h = try graph.conv2d(
            h, name: "\(name).in_layers.2", outChannels: channels, kernelSize: 3, padding: .zero(1), bias: true,
            biasVector: configuration.usesScaleShift ? nil : vector)
        h = try graph.groupNorm(
            h, name: "\(name).out_layers.0", modulatedBy: configuration.usesScaleShift ? vector : nil,
            activation: .silu)
        if changesChannels {
            x = try graph.conv2d(
                x, name: "\(name).skip_connection", outChannels: channels, kernelSize: 1, bias: true)
        }
        x = try graph.conv2d(
            h, name: "\(name).out_layers.3", outChannels: channels, kernelSize: 3, padding: .zero(1), bias: true,
            adding: x)
    }

    private mutating func resample(_ node: NetworkGraph.Node, _ resampling: Resampling) throws -> NetworkGraph.Node {
        switch resampling {
        case .down: try graph.averagePool(node)
        case .up: try graph.upsample(node, .nearest)
        }
    }

    private mutating func addResampling(_ name: String, _ resampling: Resampling) throws {
        let channels = graph.shape(of: x).channels
        if configuration.resamplesInBlocks {
            try addResidualBlock(name, channels: channels, resampling: resampling)
        } else if resampling == .up {
            x = try graph.upsample(x, .nearest)
            guard configuration.resamplingConvolves else { return }
            x = try graph.conv2d(
                x, name: "\(name).conv", outChannels: channels, kernelSize: 3, padding: .zero(1), bias: true)
        } else if configuration.resamplingConvolves {
            x = try graph.conv2d(
                x, name: "\(name).op", outChannels: channels, kernelSize: 3, stride: 2, padding: .zero(1), bias: true)
        } else {
            x = try graph.averagePool(x)
        }
    }

    /// Attention if there is any at this level; returns whether there is.
    @discardableResult
    private mutating func addAttention(_ name: String, level: Int, heads: Int) throws -> Bool {
        guard configuration.attentionReductions.contains(1 << level) else { return false }
        try addAttention(name, heads: heads)
        return true
    }

    private mutating func addAttention(_ name: String, heads: Int) throws {
        let channels = graph.shape(of: x).channels
        if let width = configuration.headChannels, channels % width != 0 {
            throw WeightsError(
                .badConfiguration, "config: num_head_channels \(width) does not divide the \(channels) of \(name)")
        }
        let heads = configuration.headChannels.map { channels / $0 } ?? heads
        let normalized = try graph.groupNorm(x, name: "\(name).norm")
        let parts = try graph.conv2d(
            normalized, name: "\(name).qkv", outChannels: 3 * channels, kernelSize: 1, bias: true, weightRank: 3)
        let attended = try graph.attention(
            parts, heads: heads, order: configuration.usesNewAttentionOrder ? .queriesFirst : .headsFirst)
        x = try graph.conv2d(
            attended, name: "\(name).proj_out", outChannels: channels, kernelSize: 1, bias: true, adding: x,
            weightRank: 3)
    }
}
