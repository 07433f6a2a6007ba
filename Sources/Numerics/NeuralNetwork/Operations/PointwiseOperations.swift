import CNeuralKernels

/// An operation from one map to one map that looks at pixels through views: activations, resampling, cropping.
struct PlannedMapOperation: PlannedOperation {
    enum Kind {
        case activation(Activation)
        case upsample(NetworkGraph.Upsampling, rowOffset: Int32, columnOffset: Int32)
        /// Also how a map gets a halo that it was not produced with.
        case window(rowOffset: Int32, columnOffset: Int32)
    }

    private let kind: Kind
    private let x: MapPlan
    private let y: MapPlan
    private let gradients: MapGradients?

    init(
        _ kind: Kind, x: MapPlan, y: MapPlan, gradients: MapGradients?, planner: inout Planner, operation: Int
    ) {
        self.kind = kind
        self.x = x
        self.y = y
        self.gradients = gradients
        planner.memory.use([x.buffer, y.buffer], at: .forward(operation))
        guard let gradients else { return }
        planner.memory.use(gradients.buffers, at: .backward(operation))
        if case .activation = kind { planner.memory.use(x.buffer, at: .backward(operation)) }
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        let x = x.view(in: memory)
        return BoundOperation(
            forward: MapForwardPass(kind: kind, x: x, y: y.view(in: memory), padding: padding),
            backward: gradients.map {
                MapBackwardPass(kind: kind, x: x, dy: $0.dy.view(in: memory), dx: $0.dx.bind(to: memory))
            })
    }

    private var padding: ChannelPadding? {
        guard case .activation(let activation) = kind else { return nil }
        return ChannelPadding(of: y.geometry, after: activation)
    }
}

/// The gradient that a map's operation reads and the one that it writes.
struct MapGradients {
    let dy: MapPlan
    let dx: GradientTarget

    /// - Returns: nil unless there are both.
    init?(dy: MapPlan?, dx: GradientTarget?) {
        guard let dy, let dx else { return nil }
        self.dy = dy
        self.dx = dx
    }

    var buffers: [MemoryPlan.Buffer] { [dy.buffer, dx.map.buffer] }
}

private final class MapForwardPass: ForwardPass {
    private let kind: PlannedMapOperation.Kind
    private var x: dkp_feature_map
    private var y: dkp_feature_map
    private let padding: ChannelPadding?

    init(kind: PlannedMapOperation.Kind, x: dkp_feature_map, y: dkp_feature_map, padding: ChannelPadding?) {
        self.kind = kind
        self.x = x
        self.y = y
        self.padding = padding
    }

    func run(training: Bool) {
        switch kind {
        case .activation(let activation): dkp_affine_activation(&x, nil, nil, activation.kernel, nil, &y)
        case .upsample(.bilinear, let row, let column): dkp_upsample_bilinear(&x, row, column, &y)
        case .upsample(.nearest, let row, let column): dkp_upsample_nearest(&x, row, column, &y)
        case .window(let row, let column): dkp_copy_window(&x, row, column, 0, &y)
        }
        padding?.clear(&y)
        dkp_fill_halo(&y)
    }
}

private final class MapBackwardPass: BackwardPass {
    private let kind: PlannedMapOperation.Kind
    private var x: dkp_feature_map
    private var dy: dkp_feature_map
    private let dx: BoundGradientTarget

    init(kind: PlannedMapOperation.Kind, x: dkp_feature_map, dy: dkp_feature_map, dx: BoundGradientTarget) {
        self.kind = kind
        self.x = x
        self.dy = dy
        self.dx = dx
    }

    func run() {
        dkp_fold_halo(&dy)
        dx.write { accumulate, target in
            switch kind {
            case .activation(let activation):
                dkp_activation_backward(&x, &dy, activation.kernel, accumulate, target)
            case .upsample(.bilinear, let row, let column):
                dkp_upsample_bilinear_backward(&dy, row, column, accumulate, target)
            case .upsample(.nearest, let row, let column):
                dkp_upsample_nearest_backward(&dy, row, column, accumulate, target)
            case .window(let row, let column): dkp_copy_window(&dy, -row, -column, accumulate, target)
            }
        }
    }
}
