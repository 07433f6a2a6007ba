/// The arguments of guided-diffusion's `UNetModel`.
public struct GuidedDiffusionConfiguration: Sendable, Equatable {
    /// Rows and columns of the training images.
    public var imageSize: Int
    /// Image channels.
    public var inChannels = 3
    /// Channels of the first level, of which the others are multiples.
    public var modelChannels: Int
    /// Image channels, or twice that with a learned variance.
    public var outChannels: Int
    /// Residual blocks of a level on the way down; there is one more on the way up.
    public var residualBlocks: Int
    /// The down-sampling factors at which there is attention; none leaves the one in the middle.
    public var attentionReductions: [Int]
    /// Each level's channels as a multiple of ``modelChannels``.
    public var channelMultiples: [Double]
    /// Whether resampling outside residual blocks convolves.
    public var resamplingConvolves = true
    /// The number of classes of a class-conditional network.
    public var classCount: Int?
    /// Heads of each attention, unless their width is given.
    public var heads = 1
    /// The channels of a head.
    public var headChannels: Int?
    /// Heads on the way up, where they differ.
    public var upsamplingHeads: Int?
    /// Whether the embedding scales and shifts normalized maps, rather than being added.
    public var usesScaleShift = false
    /// Whether resampling is done by residual blocks.
    public var resamplesInBlocks = false
    /// Whether all queries come first, then all keys, then all values.
    public var usesNewAttentionOrder = false

    /// The ImageNet model at 256 x 256: 552.8 million parameters.
    public static let imageNet256 = GuidedDiffusionConfiguration(
        imageSize: 256, modelChannels: 256, outChannels: 6, residualBlocks: 2, attentionReductions: [8, 16, 32],
        channelMultiples: [1, 1, 2, 2, 4, 4], headChannels: 64, usesScaleShift: true, resamplesInBlocks: true)

    /// A small model for 64 x 64 images: 25 million parameters.
    public static let small64 = GuidedDiffusionConfiguration(
        imageSize: 64, modelChannels: 64, outChannels: 6, residualBlocks: 2, attentionReductions: [4, 8],
        channelMultiples: [1, 2, 3, 4], headChannels: 64, usesScaleShift: true, resamplesInBlocks: true)

    /// The shape of the prior that comes with the program: 23.1 million parameters, no attention but in the middle.
    public static let prior256 = GuidedDiffusionConfiguration(
        imageSize: 256, modelChannels: 64, outChannels: 3, residualBlocks: 2, attentionReductions: [],
        channelMultiples: [1, 2, 3, 4], headChannels: 64, usesScaleShift: true, resamplesInBlocks: true)

    var levels: Int { channelMultiples.count }
    func channels(ofLevel level: Int) -> Int { Int(channelMultiples[level] * Double(modelChannels)) }
}

extension GuidedDiffusionConfiguration {
    init(_ values: ConfigurationValues) throws {
        imageSize = try values.integer("image_size", in: 1...8192, default: 256)
        inChannels = try values.integer("in_channels", in: 1...64, default: 3)
        modelChannels = try values.integer("model_channels", in: 32...4096)
        outChannels = try values.integer("out_channels", in: 1...128)
        residualBlocks = try values.integer("num_res_blocks", in: 1...16)
        attentionReductions = try values.integers("attention_resolutions", in: 1...1 << 15, least: 0)
        channelMultiples = try values.numbers("channel_mult", in: 0.25...64, default: [1, 2, 4, 8])
        resamplingConvolves = try values.boolean("conv_resample", default: true)
        classCount = try values.optionalInteger("num_classes", in: 1...100_000)
        heads = try values.integer("num_heads", in: 1...1024, default: 1)
        let width = try values.integer("num_head_channels", in: -1...4096, default: -1)
        headChannels = width == -1 ? nil : width
        let upwards = try values.integer("num_heads_upsample", in: -1...1024, default: -1)
        upsamplingHeads = upwards == -1 ? nil : upwards
        usesScaleShift = try values.boolean("use_scale_shift_norm", default: false)
        resamplesInBlocks = try values.boolean("resblock_updown", default: false)
        usesNewAttentionOrder = try values.boolean("use_new_attention_order", default: false)
        guard try values.integer("dims", in: 1...3, default: 2) == 2 else {
            throw WeightsError(.badConfiguration, "config: dims is not 2: networks on images are read, no others")
        }
        guard outChannels == inChannels || outChannels == 2 * inChannels else {
            throw WeightsError(
                .badConfiguration,
                "config: out_channels is \(outChannels), neither in_channels nor twice that (with a variance)")
        }
        guard headChannels != 0, upsamplingHeads != 0 else {
            throw WeightsError(.badConfiguration, "config: num_head_channels and num_heads_upsample are -1 or positive")
        }
    }
}
