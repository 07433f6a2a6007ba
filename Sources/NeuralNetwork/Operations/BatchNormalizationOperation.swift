import CNeuralKernels

/// Batch normalization over the pixels of the map, fused with the activation and the residual behind it.
final class BatchNormalizationOperation: Operation {
    private static let momentum: Float = 0.1

    private let layer: NetworkGraph.BatchNormalization
    private let parameters: ParameterStore
    private let xPlan: MapPlan
    private let yPlan: MapPlan
    private let residualPlan: MapPlan?
    private let dyPlan: MapPlan?
    private let dxPlan: MapPlan?
    private var residualGradient: GradientTarget?
    private let statisticsBuffer: MemoryPlan.Buffer
    private let scratchBuffer: MemoryPlan.Buffer
    private let padding: ChannelPadding?

    @Bound private var x: dkp_feature_map
    @Bound private var y: dkp_feature_map
    @Bound private var statistics: dkp_normalization
    @Bound private var scratch: UnsafeMutablePointer<Double>
    private var residual: dkp_feature_map?
    private var dy: dkp_feature_map?
    private var dxView: dkp_feature_map?

    private var channels: Int { xPlan.geometry.physicalChannels }

    /// - Parameter dx: the gradient of `x`, of which this must be the only writer.
    init(
        _ layer: NetworkGraph.BatchNormalization, x: MapPlan, y: MapPlan, residual: MapPlan?, dy: MapPlan?,
        dx: MapPlan?, residualGradient: GradientTarget?, parameters: ParameterStore, planner: inout Planner,
        operation: Int
    ) {
        self.layer = layer
        self.parameters = parameters
        xPlan = x
        yPlan = y
        padding = ChannelPadding(of: y.geometry, behind: layer.activation)
        residualPlan = residual
        dyPlan = dy
        dxPlan = dx
        self.residualGradient = residualGradient
        statisticsBuffer = planner.memory.persistentBuffer(byteCount: 4 * x.geometry.physicalChannels * 4)
        scratchBuffer = planner.memory.buffer(byteCount: x.geometry.reductionScratchLength * 8)
        let forward = MemoryPlan.Moment.forward(operation)
        for map in [x, y, residual].compactMap({ $0 }) { planner.memory.use(map.buffer, at: forward) }
        planner.memory.use(scratchBuffer, at: forward)
        guard let dy else { return }
        let backward = MemoryPlan.Moment.backward(operation)
        for map in [x, dy, dx, residualGradient?.map].compactMap({ $0 }) {
            planner.memory.use(map.buffer, at: backward)
        }
        planner.memory.use(scratchBuffer, at: backward)
    }

    func bind(to memory: PlannedMemory) {
        x = xPlan.view(in: memory)
        y = yPlan.view(in: memory)
        residual = residualPlan?.view(in: memory)
        dy = dyPlan?.view(in: memory)
        dxView = dxPlan?.view(in: memory)
        residualGradient?.bind(to: memory)
        let base = memory.floats(statisticsBuffer)
        statistics = dkp_normalization(
            mean: base, variance: base + channels, scale: base + 2 * channels, shift: base + 3 * channels)
        scratch = memory.pointer(to: scratchBuffer).assumingMemoryBound(to: Double.self)
    }

    func forward(training: Bool) {
        if training {
            dkp_batch_statistics(
                &x, parameters.values(layer.weight), parameters.values(layer.bias), layer.epsilon, &statistics, scratch)
            updateRunningStatistics()
        } else {
            useRunningStatistics()
        }
        withOptionalPointer(residual) {
            dkp_affine_activation(&x, statistics.scale, statistics.shift, layer.activation.kernel, $0, &y)
        }
        padding?.clear(&y)
        dkp_fill_halo(&y)
    }

    func backward() {
        guard var dy else { return }
        dkp_fold_halo(&dy)
        // y = activation(...) + residual: the residual's gradient is dy itself.
        residualGradient?.write { dkp_copy_window(&dy, 0, 0, $0, $1) }
        guard var dxView else { return }
        dkp_batch_normalization_backward(
            &x, &dy, layer.activation.kernel, layer.epsilon, &statistics, &dxView, parameters.gradient(layer.weight),
            parameters.gradient(layer.bias), scratch)
    }

    private func updateRunningStatistics() {
        let mean = parameters.values(layer.runningMean)
        let variance = parameters.values(layer.runningVariance)
        let count = Float(x.height) * Float(x.width)
        let unbiased = count > 1 ? count / (count - 1) : 1
        for channel in 0..<channels {
            mean[channel] += Self.momentum * (statistics.mean[channel] - mean[channel])
            variance[channel] += Self.momentum * (statistics.variance[channel] * unbiased - variance[channel])
        }
    }

    private func useRunningStatistics() {
        let mean = parameters.values(layer.runningMean)
        let variance = parameters.values(layer.runningVariance)
        let weight = parameters.values(layer.weight)
        let bias = parameters.values(layer.bias)
        for channel in 0..<channels {
            let scale = weight[channel] / (variance[channel] + layer.epsilon).squareRoot()
            statistics.scale[channel] = scale
            statistics.shift[channel] = bias[channel] - mean[channel] * scale
        }
    }
}

func withOptionalPointer<Value, Result>(_ value: Value?, _ body: (UnsafePointer<Value>?) -> Result) -> Result {
    guard let value else { return body(nil) }
    return withUnsafePointer(to: value) { body($0) }
}
