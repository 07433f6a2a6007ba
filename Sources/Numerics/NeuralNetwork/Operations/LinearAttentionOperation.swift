import CNeuralKernels

/// y = theta (phi' g) / keys, see ``NetworkGraph/linearAttention(theta:phi:g:)``.
struct PlannedLinearAttention: PlannedOperation {
    /// theta, phi and g, or what belongs to each.
    struct Inputs<Value> {
        var theta: Value
        var phi: Value
        var g: Value

        var all: [Value] { [theta, phi, g] }

        func map<Other>(_ transform: (Value) -> Other) -> Inputs<Other> {
            .init(theta: transform(theta), phi: transform(phi), g: transform(g))
        }
    }

    private struct Gradients {
        let dy: MapPlan
        /// Of the inputs that have a gradient.
        let targets: Inputs<GradientTarget?>
        let product: MemoryPlan.Buffer
    }

    private let inputs: Inputs<MapPlan>
    private let y: MapPlan
    /// phi' g / keys and, after it, its transpose.
    private let product: MemoryPlan.Buffer
    private let gradients: Gradients?

    /// - Parameter inputs: all without halo.
    init(
        _ inputs: Inputs<MapPlan>, y: MapPlan, dy: MapPlan?, targets: Inputs<GradientTarget?>, planner: inout Planner,
        operation: Int
    ) {
        self.inputs = inputs
        self.y = y
        let matrixBytes = 2 * 4 * inputs.phi.geometry.physicalChannels * inputs.g.geometry.physicalChannels
        product = planner.memory.buffer(byteCount: matrixBytes)
        let read = inputs.all.map(\.buffer) + [product]
        planner.memory.use(read + [y.buffer], at: .forward(operation))
        gradients = dy.map {
            Gradients(dy: $0, targets: targets, product: planner.memory.buffer(byteCount: matrixBytes))
        }
        guard let gradients else { return }
        planner.memory.use(
            read + targets.all.compactMap { $0?.map.buffer } + [gradients.dy.buffer, gradients.product],
            at: .backward(operation))
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        let views = inputs.map { $0.view(in: memory) }
        let keyChannels = inputs.phi.geometry.physicalChannels
        let valueChannels = inputs.g.geometry.physicalChannels
        let factor = 1 / Float(inputs.g.geometry.height * inputs.g.geometry.width)
        return BoundOperation(
            forward: LinearAttentionForwardPass(
                views, y: y.view(in: memory), product: memory.floats(product), factor: factor),
            backward: gradients.map { gradients in
                LinearAttentionBackwardPass(
                    views, dy: gradients.dy.view(in: memory), targets: gradients.targets.map { $0?.bind(to: memory) },
                    product: memory.floats(product), productGradient: memory.floats(gradients.product),
                    keyChannels: keyChannels, valueChannels: valueChannels, factor: factor)
            })
    }
}

private final class LinearAttentionForwardPass: ForwardPass {
    private var inputs: PlannedLinearAttention.Inputs<dkp_feature_map>
    private var y: dkp_feature_map
    private let product: UnsafeMutablePointer<Float>
    private let factor: Float

    init(
        _ inputs: PlannedLinearAttention.Inputs<dkp_feature_map>, y: dkp_feature_map,
        product: UnsafeMutablePointer<Float>, factor: Float
    ) {
        self.inputs = inputs
        self.y = y
        self.product = product
        self.factor = factor
    }

    func run(training: Bool) {
        var (phi, g) = (inputs.phi, inputs.g)
        dkp_channel_product(&phi, &g, factor, product)
        dkp_channel_transform(&inputs.theta, product, 1, 0, &y)
        dkp_fill_halo(&y)
    }
}

private final class LinearAttentionBackwardPass: BackwardPass {
    private var inputs: PlannedLinearAttention.Inputs<dkp_feature_map>
    private var dy: dkp_feature_map
    private let targets: PlannedLinearAttention.Inputs<BoundGradientTarget?>
    private let product: UnsafeMutablePointer<Float>
    private let productGradient: UnsafeMutablePointer<Float>
    private let keyChannels: Int
    private let valueChannels: Int
    private let factor: Float

    init(
        _ inputs: PlannedLinearAttention.Inputs<dkp_feature_map>, dy: dkp_feature_map,
        targets: PlannedLinearAttention.Inputs<BoundGradientTarget?>, product: UnsafeMutablePointer<Float>,
        productGradient: UnsafeMutablePointer<Float>, keyChannels: Int, valueChannels: Int, factor: Float
    ) {
        self.inputs = inputs
        self.dy = dy
        self.targets = targets
        self.product = product
        self.productGradient = productGradient
        self.keyChannels = keyChannels
        self.valueChannels = valueChannels
        self.factor = factor
    }

    func run() {
        let count = keyChannels * valueChannels
        dkp_transpose(product, Int32(keyChannels), Int32(valueChannels), product + count)
        dkp_channel_product(&inputs.theta, &dy, factor, productGradient)
        dkp_transpose(productGradient, Int32(keyChannels), Int32(valueChannels), productGradient + count)
        targets.theta?.write { dkp_channel_transform(&dy, product + count, 1, $0, $1) }
        targets.phi?.write { dkp_channel_transform(&inputs.g, productGradient + count, 1, $0, $1) }
        targets.g?.write { dkp_channel_transform(&inputs.phi, productGradient, 1, $0, $1) }
    }
}
