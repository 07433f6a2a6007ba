import CNeuralKernels

/// y = theta (phi' g) / keys, see ``NetworkGraph/linearAttention(theta:phi:g:)``.
final class LinearAttentionOperation: Operation {
    private let plans: [MapPlan]
    private let yPlan: MapPlan
    private let dyPlan: MapPlan?
    private var gradients: [GradientTarget]
    private let productBuffer: MemoryPlan.Buffer
    private let gradientBuffer: MemoryPlan.Buffer

    @Bound private var theta: dkp_feature_map
    @Bound private var phi: dkp_feature_map
    @Bound private var g: dkp_feature_map
    @Bound private var y: dkp_feature_map
    private var dy: dkp_feature_map?
    /// phi' g / keys and, behind it, its transpose; the gradient of it likewise.
    @Bound private var product: UnsafeMutablePointer<Float>
    @Bound private var productGradient: UnsafeMutablePointer<Float>

    private var keyChannels: Int { plans[1].geometry.physicalChannels }
    private var valueChannels: Int { plans[2].geometry.physicalChannels }
    private var factor: Float { 1 / Float(plans[2].geometry.height * plans[2].geometry.width) }

    /// - Parameter inputs: theta, phi, g, all without halo; `gradients` in the same order, or empty.
    init(
        inputs: [MapPlan], y: MapPlan, dy: MapPlan?, gradients: [GradientTarget], planner: inout Planner,
        operation: Int
    ) {
        plans = inputs
        yPlan = y
        dyPlan = dy
        self.gradients = gradients
        let matrixBytes = 2 * 4 * inputs[1].geometry.physicalChannels * inputs[2].geometry.physicalChannels
        productBuffer = planner.memory.buffer(byteCount: matrixBytes)
        gradientBuffer = planner.memory.buffer(byteCount: matrixBytes)
        for buffer in inputs.map(\.buffer) + [y.buffer, productBuffer] {
            planner.memory.use(buffer, at: .forward(operation))
        }
        guard let dy else { return }
        for buffer in inputs.map(\.buffer) + gradients.map(\.map.buffer) + [dy.buffer, productBuffer, gradientBuffer] {
            planner.memory.use(buffer, at: .backward(operation))
        }
    }

    func bind(to memory: PlannedMemory) {
        theta = plans[0].view(in: memory)
        phi = plans[1].view(in: memory)
        g = plans[2].view(in: memory)
        y = yPlan.view(in: memory)
        dy = dyPlan?.view(in: memory)
        for index in gradients.indices { gradients[index].bind(to: memory) }
        product = memory.floats(productBuffer)
        productGradient = memory.floats(gradientBuffer)
    }

    func forward(training: Bool) {
        dkp_channel_product(&phi, &g, factor, product)
        dkp_channel_transform(&theta, product, 1, 0, &y)
        dkp_fill_halo(&y)
    }

    func backward() {
        guard var dy, gradients.count == 3 else { return }
        let count = keyChannels * valueChannels
        dkp_transpose(product, Int32(keyChannels), Int32(valueChannels), product + count)
        dkp_channel_product(&theta, &dy, factor, productGradient)
        dkp_transpose(productGradient, Int32(keyChannels), Int32(valueChannels), productGradient + count)
        gradients[0].write { dkp_channel_transform(&dy, product + count, 1, $0, $1) }
        gradients[1].write { dkp_channel_transform(&g, productGradient + count, 1, $0, $1) }
        gradients[2].write { dkp_channel_transform(&phi, productGradient, 1, $0, $1) }
    }
}
