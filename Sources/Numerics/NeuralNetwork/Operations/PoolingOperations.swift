import CNeuralKernels

/// The largest of each 2 x 2 pixels, see ``NetworkGraph/maxPool(_:)``.
struct PlannedMaxPool: PlannedOperation {
    private let x: MapPlan
    private let y: MapPlan
    private let gradients: MapGradients?
    /// Which of the four pixels each result is.
    private let choice: MemoryPlan.Buffer

    init(x: MapPlan, y: MapPlan, gradients: MapGradients?, planner: inout Planner, operation: Int) {
        self.x = x
        self.y = y
        self.gradients = gradients
        choice = planner.memory.buffer(byteCount: y.geometry.physicalChannels * y.geometry.height * y.geometry.width)
        planner.memory.use([x.buffer, y.buffer, choice], at: .forward(operation))
        if let gradients { planner.memory.use(gradients.buffers + [choice], at: .backward(operation)) }
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        let choice = memory.pointer(to: choice).assumingMemoryBound(to: UInt8.self)
        return BoundOperation(
            forward: MaxPoolForwardPass(x: x.view(in: memory), y: y.view(in: memory), choice: choice),
            backward: gradients.map {
                MaxPoolBackwardPass(dy: $0.dy.view(in: memory), dx: $0.dx.bind(to: memory), choice: choice)
            })
    }
}

private final class MaxPoolForwardPass: ForwardPass {
    private var x: dkp_feature_map
    private var y: dkp_feature_map
    private let choice: UnsafeMutablePointer<UInt8>

    init(x: dkp_feature_map, y: dkp_feature_map, choice: UnsafeMutablePointer<UInt8>) {
        self.x = x
        self.y = y
        self.choice = choice
    }

    func run(training: Bool) {
        dkp_max_pool(&x, &y, choice)
        dkp_fill_halo(&y)
    }
}

private final class MaxPoolBackwardPass: BackwardPass {
    private var dy: dkp_feature_map
    private let dx: BoundGradientTarget
    private let choice: UnsafeMutablePointer<UInt8>

    init(dy: dkp_feature_map, dx: BoundGradientTarget, choice: UnsafeMutablePointer<UInt8>) {
        self.dy = dy
        self.dx = dx
        self.choice = choice
    }

    func run() {
        dkp_fold_halo(&dy)
        dx.write { dkp_max_pool_backward(&dy, choice, $0, $1) }
    }
}

/// The mean of each 2 x 2 pixels, see ``NetworkGraph/averagePool(_:)``. Inference only.
struct PlannedAveragePool: PlannedOperation {
    private let x: MapPlan
    private let y: MapPlan

    init(x: MapPlan, y: MapPlan, planner: inout Planner, operation: Int) {
        self.x = x
        self.y = y
        planner.memory.use([x.buffer, y.buffer], at: .forward(operation))
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        BoundOperation(forward: AveragePoolPass(x: x.view(in: memory), y: y.view(in: memory)))
    }
}

private final class AveragePoolPass: ForwardPass {
    private var x: dkp_feature_map
    private var y: dkp_feature_map

    init(x: dkp_feature_map, y: dkp_feature_map) {
        self.x = x
        self.y = y
    }

    func run(training: Bool) {
        dkp_average_pool(&x, &y)
        dkp_fill_halo(&y)
    }
}
