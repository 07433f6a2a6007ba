/// The configuration of diffusers' `UNet2DModel`, as far as the models of the google/ddpm family need it.
public struct DiffusersConfiguration: Sendable, Equatable {
    /// Rows and columns of the training images.
    public var imageSize: Int
    /// Image channels.
    public var inChannels: Int
    /// Image channels, or twice that with a learned variance.
    public var outChannels: Int
    /// Residual blocks of a level on the way down; there is one more on the way up.
    public var blocksPerLevel: Int
    /// Channels of each level.
    public var levelChannels: [Int]
    /// Whether each level has attention on the way down.
    public var downAttention: [Bool]
    /// Whether each level has attention on the way up, from the deepest on.
    public var upAttention: [Bool]
    /// Whether the middle has attention.
    public var middleAttention: Bool
    /// The channels of a head; nil for a single head.
    public var headChannels: Int?
    /// Groups of every group normalization.
    public var groups: Int
    /// What group normalizations add to variances.
    public var epsilon: Double
    /// Whether cosines come before sines in the timestep's embedding.
    public var flipsSinesToCosines: Bool
    /// Shift of the embedding's frequencies.
    public var frequencyShift: Double
    /// Zeros around maps that are halved; with 0, one row and column of zeros after them.
    public var downsamplingPadding: Int
    /// Whether the embedding scales and shifts normalized maps, rather than being added.
    public var usesScaleShift: Bool

    var levels: Int { levelChannels.count }
}

extension DiffusersConfiguration {
    init(_ values: ConfigurationValues) throws {
        imageSize = try values.integer("sample_size", in: 1...8192, default: 256)
        inChannels = try values.integer("in_channels", in: 1...64, default: 3)
        outChannels = try values.integer("out_channels", in: 1...128, default: 3)
        blocksPerLevel = try values.integer("layers_per_block", in: 1...16, default: 2)
        levelChannels = try values.integers("block_out_channels", in: 1...16384)
        downAttention = try Self.attention(
            values, "down_block_types", plain: "DownBlock2D", attentive: "AttnDownBlock2D")
        upAttention = try Self.attention(values, "up_block_types", plain: "UpBlock2D", attentive: "AttnUpBlock2D")
        middleAttention = try values.boolean("add_attention", default: true)
        headChannels = try values.optionalInteger("attention_head_dim", in: 1...16384)
        groups = try values.integer("norm_num_groups", in: 1...1024, default: 32)
        epsilon = try values.number("norm_eps", in: 0...1, default: 1e-5)
        flipsSinesToCosines = try values.boolean("flip_sin_to_cos", default: true)
        frequencyShift = try values.number("freq_shift", in: 0...1, default: 0)
        downsamplingPadding = try values.integer("downsample_padding", in: 0...1, default: 1)
        try values.require("resnet_time_scale_shift", ["default", "scale_shift"], default: "default")
        usesScaleShift = try values.string("resnet_time_scale_shift", default: "default") == "scale_shift"
        try values.require("act_fn", ["silu", "swish"], default: "silu")
        try values.require("time_embedding_type", ["positional"], default: "positional")
        try values.require("mid_block_type", ["UNetMidBlock2D"], default: "UNetMidBlock2D")
        try values.require("downsample_type", ["conv"], default: "conv")
        try values.require("upsample_type", ["conv"], default: "conv")
        try values.requireAbsent(
            "center_input_sample", "class_embed_type", "num_class_embeds", "attn_norm_num_groups", "time_embedding_dim")
        guard try values.number("mid_block_scale_factor", in: 0...100, default: 1) == 1 else {
            throw WeightsError(.badConfiguration, "config: mid_block_scale_factor is not 1, which is not supported")
        }
        guard downAttention.count == levels, upAttention.count == levels else {
            throw WeightsError(
                .badConfiguration,
                "config: block_out_channels, down_block_types and up_block_types have \(levels), \(downAttention.count) "
                    + "and \(upAttention.count) entries")
        }
        guard outChannels == inChannels || outChannels == 2 * inChannels else {
            throw WeightsError(
                .badConfiguration,
                "config: out_channels is \(outChannels), neither in_channels nor twice that (with a variance)")
        }
        guard (0..<levelChannels[0] / 2).contains(Int(frequencyShift)) else {
            throw WeightsError(.badConfiguration, "config: block_out_channels starts with \(levelChannels[0]), too few")
        }
    }

    private static func attention(
        _ values: ConfigurationValues, _ key: String, plain: String, attentive: String
    ) throws -> [Bool] {
        try values.strings(key).map { name in
            guard name == plain || name == attentive else {
                throw WeightsError(
                    .badConfiguration, "config: \(key) has \(name.prefix(80)); \(plain) and \(attentive) are read")
            }
            return name == attentive
        }
    }
}
