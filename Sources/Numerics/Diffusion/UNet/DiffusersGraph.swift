import NeuralNetwork

extension DiffusersConfiguration: UNetDescription {
    var classCount: Int? { nil }
    var labelTable: (name: String, shape: [Int])? { nil }
    var hasAttention: Bool { downAttention.contains(true) || upAttention.contains(true) }

    var timestepEmbedding: TimestepEmbedding {
        TimestepEmbedding(
            count: levelChannels[0], cosinesFirst: flipsSinesToCosines, frequencyShift: frequencyShift)
    }

    func graph(height: Int, width: Int) throws -> (graph: NetworkGraph, output: NetworkGraph.Node) {
        var builder = try DiffusersBuilder(self, height: height, width: width)
        let output = try builder.build()
        return (builder.graph, output)
    }
}

/// Builds the graph level by level, with the original's names.
private struct DiffusersBuilder {
    let configuration: DiffusersConfiguration
    private(set) var graph = NetworkGraph()
    private var x: NetworkGraph.Node
    /// SiLU of the embedding of the timestep.
    private var embedding: NetworkGraph.Node

    private var epsilon: Float { Float(configuration.epsilon) }

    init(_ configuration: DiffusersConfiguration, height: Int, width: Int) throws {
        self.configuration = configuration
        let first = configuration.levelChannels[0]
        let count = UNetConfiguration.embeddingFactor * first
        let timestep = try graph.vector(name: UNetVector.timestep, count: first)
        let hidden = graph.activation(
            try graph.linear(timestep, name: "time_embedding.linear_1", outputs: count), .silu)
        embedding = graph.activation(try graph.linear(hidden, name: "time_embedding.linear_2", outputs: count), .silu)
        x = try graph.input(channels: configuration.inChannels, height: height, width: width)
    }

    mutating func build() throws -> NetworkGraph.Node {
        let channels = configuration.levelChannels
        try convolve("conv_in", channels: channels[0])
        var skips = [x]
        for level in channels.indices {
            let name = "down_blocks.\(level)"
            for index in 0..<configuration.blocksPerLevel {
                try addResidualBlock("\(name).resnets.\(index)", channels: channels[level])
                if configuration.downAttention[level] { try addAttention("\(name).attentions.\(index)") }
                skips.append(x)
            }
            if level + 1 < channels.count {
                x = try graph.conv2d(
                    x, name: "\(name).downsamplers.0.conv", outChannels: channels[level], kernelSize: 3, stride: 2,
                    padding: configuration.downsamplingPadding == 0
                        ? .trailingZero(1) : .zero(configuration.downsamplingPadding), bias: true)
                skips.append(x)
            }
        }
        let deepest = channels[channels.count - 1]
        try addResidualBlock("mid_block.resnets.0", channels: deepest)
        if configuration.middleAttention { try addAttention("mid_block.attentions.0") }
        try addResidualBlock("mid_block.resnets.1", channels: deepest)
        for (position, level) in channels.indices.reversed().enumerated() {
            let name = "up_blocks.\(position)"
            for index in 0...configuration.blocksPerLevel {
                x = try graph.concatenate([x, skips.removeLast()])
                try addResidualBlock("\(name).resnets.\(index)", channels: channels[level])
                if configuration.upAttention[position] { try addAttention("\(name).attentions.\(index)") }
            }
            if level > 0 {
                x = try graph.upsample(x, .nearest)
                try convolve("\(name).upsamplers.0.conv", channels: channels[level])
            }
        }
        x = try graph.groupNorm(
            x, name: "conv_norm_out", groups: configuration.groups, epsilon: epsilon, activation: .silu)
        try convolve("conv_out", channels: configuration.outChannels)
        return x
    }

    private mutating func convolve(_ name: String, channels: Int) throws {
        x = try graph.conv2d(
            x, name: name, outChannels: channels, kernelSize: 3, padding: .zero(1), bias: true)
    }

    private mutating func addResidualBlock(_ name: String, channels: Int) throws {
        let changesChannels = graph.shape(of: x).channels != channels
        var h = try graph.groupNorm(
            x, name: "\(name).norm1", groups: configuration.groups, epsilon: epsilon, activation: .silu)
        let vector = try graph.linear(
            embedding, name: "\(name).time_emb_proj", outputs: configuration.usesScaleShift ? 2 * channels : channels)
        h = try graph.conv2d(
            h, name: "\(name).conv1", outChannels: channels, kernelSize: 3, padding: .zero(1), bias: true,
            biasVector: configuration.usesScaleShift ? nil : vector)
        h = try graph.groupNorm(
            h, name: "\(name).norm2", groups: configuration.groups, epsilon: epsilon,
            modulatedBy: configuration.usesScaleShift ? vector : nil, activation: .silu)
        if changesChannels {
            x = try graph.conv2d(x, name: "\(name).conv_shortcut", outChannels: channels, kernelSize: 1, bias: true)
        }
        x = try graph.conv2d(
            h, name: "\(name).conv2", outChannels: channels, kernelSize: 3, padding: .zero(1), bias: true, adding: x)
    }

    private mutating func addAttention(_ name: String) throws {
        let channels = graph.shape(of: x).channels
        let width = configuration.headChannels ?? channels
        guard channels % width == 0 else {
            throw WeightsError(
                .badConfiguration, "config: attention_head_dim \(width) does not divide the \(channels) of \(name)")
        }
        let normalized = try graph.groupNorm(
            x, name: "\(name).group_norm", groups: configuration.groups, epsilon: epsilon)
        let parts = try ["to_q", "to_k", "to_v"].map { part in
            try graph.conv2d(
                normalized, name: "\(name).\(part)", outChannels: channels, kernelSize: 1, bias: true, weightRank: 2)
        }
        let attended = try graph.attention(
            try graph.concatenate(parts), heads: channels / width, order: .queriesFirst)
        x = try graph.conv2d(
            attended, name: "\(name).to_out.0", outChannels: channels, kernelSize: 1, bias: true, adding: x,
            weightRank: 2)
    }
}
