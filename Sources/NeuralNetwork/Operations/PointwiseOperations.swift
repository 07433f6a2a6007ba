import CNeuralKernels

/// An operation from one map to one map that looks at pixels through views: activations, resampling, cropping, pooling.
final class MapOperation: Operation {
    enum Kind {
        case activation(Activation)
        case upsample(NetworkGraph.Enlargement, rowOffset: Int32, columnOffset: Int32)
        /// Also how a map gets a halo that it was not produced with.
        case window(rowOffset: Int32, columnOffset: Int32)
        case maxPool
        /// Inference only.
        case averagePool
    }

    private let kind: Kind
    private let xPlan: MapPlan
    private let yPlan: MapPlan
    private let dyPlan: MapPlan?
    private var dx: GradientTarget?
    private let padding: ChannelPadding?
    private var choiceBuffer: MemoryPlan.Buffer?

    @Bound private var x: dkp_feature_map
    @Bound private var y: dkp_feature_map
    private var dy: dkp_feature_map?
    private var choice: UnsafeMutablePointer<UInt8>?

    init(
        _ kind: Kind, x: MapPlan, y: MapPlan, dy: MapPlan?, dx: GradientTarget?, planner: inout Planner, operation: Int
    ) {
        self.kind = kind
        xPlan = x
        yPlan = y
        dyPlan = dy
        self.dx = dx
        padding =
            if case .activation(let activation) = kind { ChannelPadding(of: y.geometry, behind: activation) } else {
                nil
            }
        planner.memory.use(x.buffer, at: .forward(operation))
        planner.memory.use(y.buffer, at: .forward(operation))
        if case .maxPool = kind {
            let choice = planner.memory.buffer(
                byteCount: y.geometry.physicalChannels * y.geometry.height * y.geometry.width)
            planner.memory.use(choice, at: .forward(operation))
            if dy != nil { planner.memory.use(choice, at: .backward(operation)) }
            choiceBuffer = choice
        }
        guard let dy, let dx else { return }
        planner.memory.use(dy.buffer, at: .backward(operation))
        planner.memory.use(dx.map.buffer, at: .backward(operation))
        if case .activation = kind { planner.memory.use(x.buffer, at: .backward(operation)) }
    }

    func bind(to memory: PlannedMemory) {
        x = xPlan.view(in: memory)
        y = yPlan.view(in: memory)
        dy = dyPlan?.view(in: memory)
        dx?.bind(to: memory)
        choice = choiceBuffer.map { memory.pointer(to: $0).assumingMemoryBound(to: UInt8.self) }
    }

    func forward(training: Bool) {
        switch kind {
        case .activation(let activation): dkp_affine_activation(&x, nil, nil, activation.kernel, nil, &y)
        case .upsample(.bilinear, let row, let column): dkp_upsample_bilinear(&x, row, column, &y)
        case .upsample(.nearest, let row, let column): dkp_upsample_nearest(&x, row, column, &y)
        case .window(let row, let column): dkp_copy_window(&x, row, column, 0, &y)
        case .maxPool:
            if let choice { dkp_max_pool(&x, &y, choice) }
        case .averagePool: dkp_average_pool(&x, &y)
        }
        padding?.clear(&y)
        dkp_fill_halo(&y)
    }

    func backward() {
        guard var dy, let dx else { return }
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
            case .maxPool:
                if let choice { dkp_max_pool_backward(&dy, choice, accumulate, target) }
            case .averagePool: break
            }
        }
    }
}
