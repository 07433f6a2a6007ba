import CNeuralKernels

/// Group normalization, fused with the modulation and the activation that follow. Inference only.
struct PlannedGroupNormalization: PlannedOperation {
    private let layer: NetworkGraph.GroupNormalization
    private let parameters: ParameterStore
    private let x: MapPlan
    private let y: MapPlan
    private let modulation: MapPlan?
    private let coefficients: MemoryPlan.Buffer
    private let scratch: MemoryPlan.Buffer

    init(
        _ layer: NetworkGraph.GroupNormalization, x: MapPlan, y: MapPlan, modulation: MapPlan?,
        parameters: ParameterStore, planner: inout Planner, operation: Int
    ) {
        self.layer = layer
        self.parameters = parameters
        self.x = x
        self.y = y
        self.modulation = modulation
        coefficients = planner.memory.buffer(byteCount: 2 * x.geometry.physicalChannels * 4)
        scratch = planner.memory.buffer(byteCount: x.geometry.reductionScratchLength * 8)
        planner.memory.use([x, y, modulation].compactMap { $0?.buffer }, at: .forward(operation))
        planner.memory.use([coefficients, scratch], at: .forward(operation))
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        let scale = memory.floats(coefficients)
        let places = ChannelLayout(segments: x.geometry.segments, block: x.geometry.block).physicalIndices
        return BoundOperation(
            forward: GroupNormalizationPass(
                x: x.view(in: memory), y: y.view(in: memory), places: Int32Table(places), groups: layer.groups,
                weight: parameters.values(layer.weight), bias: parameters.values(layer.bias),
                modulation: modulation.map { memory.floats($0.buffer) }, epsilon: layer.epsilon,
                activation: layer.activation.kernel, padding: ChannelPadding(of: y.geometry, after: layer.activation),
                scale: scale, shift: scale + x.geometry.physicalChannels,
                scratch: memory.pointer(to: scratch).assumingMemoryBound(to: Double.self)))
    }
}

private final class GroupNormalizationPass: ForwardPass {
    private var x: dkp_feature_map
    private var y: dkp_feature_map
    private let places: Int32Table
    private var layout: dkp_group_normalization_layout
    private let weight: UnsafeMutablePointer<Float>
    private let bias: UnsafeMutablePointer<Float>
    private let modulation: UnsafeMutablePointer<Float>?
    private let epsilon: Float
    private let activation: dkp_activation
    private let padding: ChannelPadding?
    private let scale: UnsafeMutablePointer<Float>
    private let shift: UnsafeMutablePointer<Float>
    private let scratch: UnsafeMutablePointer<Double>

    init(
        x: dkp_feature_map, y: dkp_feature_map, places: Int32Table, groups: Int, weight: UnsafeMutablePointer<Float>,
        bias: UnsafeMutablePointer<Float>, modulation: UnsafeMutablePointer<Float>?, epsilon: Float,
        activation: dkp_activation, padding: ChannelPadding?, scale: UnsafeMutablePointer<Float>,
        shift: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Double>
    ) {
        self.x = x
        self.y = y
        self.places = places
        layout = dkp_group_normalization_layout(
            places: places.elements, channels: Int32(places.count), groups: Int32(groups))
        self.weight = weight
        self.bias = bias
        self.modulation = modulation
        self.epsilon = epsilon
        self.activation = activation
        self.padding = padding
        self.scale = scale
        self.shift = shift
        self.scratch = scratch
    }

    func run(training: Bool) {
        dkp_group_normalization(&x, &layout, weight, bias, modulation, epsilon, scale, shift, scratch)
        dkp_affine_activation(&x, scale, shift, activation, nil, &y)
        padding?.clear(&y)
        dkp_fill_halo(&y)
    }
}
