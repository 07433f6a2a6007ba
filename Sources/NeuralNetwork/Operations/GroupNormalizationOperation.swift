import CNeuralKernels

/// Group normalization, fused with the modulation and the activation behind it.
final class GroupNormalizationOperation: Operation {
    private let layer: NetworkGraph.GroupNormalization
    private let parameters: ParameterStore
    private let places: [Int32]
    private let xPlan: MapPlan
    private let yPlan: MapPlan
    private let modulationPlan: MapPlan?
    private let coefficientBuffer: MemoryPlan.Buffer
    private let scratchBuffer: MemoryPlan.Buffer
    private let padding: ChannelPadding?

    @Bound private var x: dkp_feature_map
    @Bound private var y: dkp_feature_map
    @Bound private var scale: UnsafeMutablePointer<Float>
    @Bound private var shift: UnsafeMutablePointer<Float>
    @Bound private var scratch: UnsafeMutablePointer<Double>
    private var modulation: UnsafeMutablePointer<Float>?

    init(
        _ layer: NetworkGraph.GroupNormalization, x: MapPlan, y: MapPlan, modulation: MapPlan?,
        parameters: ParameterStore, planner: inout Planner, operation: Int
    ) {
        self.layer = layer
        self.parameters = parameters
        places = ChannelLayout(segments: x.geometry.segments, block: x.geometry.block).physicalIndices.map(Int32.init)
        xPlan = x
        yPlan = y
        padding = ChannelPadding(of: y.geometry, behind: layer.activation)
        modulationPlan = modulation
        coefficientBuffer = planner.memory.buffer(byteCount: 2 * x.geometry.physicalChannels * 4)
        scratchBuffer = planner.memory.buffer(byteCount: x.geometry.reductionScratchLength * 8)
        for buffer in [x.buffer, y.buffer, modulation?.buffer, coefficientBuffer, scratchBuffer].compactMap({ $0 }) {
            planner.memory.use(buffer, at: .forward(operation))
        }
    }

    func bind(to memory: PlannedMemory) {
        x = xPlan.view(in: memory)
        y = yPlan.view(in: memory)
        modulation = modulationPlan.map { memory.floats($0.buffer) }
        scale = memory.floats(coefficientBuffer)
        shift = scale + xPlan.geometry.physicalChannels
        scratch = memory.pointer(to: scratchBuffer).assumingMemoryBound(to: Double.self)
    }

    func forward(training: Bool) {
        places.withUnsafeBufferPointer { places in
            guard let base = places.baseAddress else { return }
            var layout = dkp_group_normalization_layout(
                places: base, channels: Int32(places.count), groups: Int32(layer.groups))
            dkp_group_normalization(
                &x, &layout, parameters.values(layer.weight), parameters.values(layer.bias), modulation, layer.epsilon,
                scale, shift, scratch)
        }
        dkp_affine_activation(&x, scale, shift, layer.activation.kernel, nil, &y)
        padding?.clear(&y)
        dkp_fill_halo(&y)
    }
}
