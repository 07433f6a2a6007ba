import CNeuralKernels

/// Batch normalization over the pixels of the map, fused with the activation and the residual that follow.
struct PlannedBatchNormalization: PlannedOperation {
    private struct Gradients {
        let dy: MapPlan
        let dx: MapPlan
        let residual: GradientTarget?
    }

    private let layer: NetworkGraph.BatchNormalization
    private let parameters: ParameterStore
    private let x: MapPlan
    private let y: MapPlan
    private let residual: MapPlan?
    private let gradients: Gradients?
    private let statistics: MemoryPlan.Buffer
    private let scratch: MemoryPlan.Buffer

    /// - Parameter dx: the gradient of `x`, of which this must be the only writer; nil if nobody wants it.
    init(
        _ layer: NetworkGraph.BatchNormalization, x: MapPlan, y: MapPlan, residual: MapPlan?, dy: MapPlan?,
        dx: MapPlan?, residualGradient: GradientTarget?, parameters: ParameterStore, planner: inout Planner,
        operation: Int
    ) {
        self.layer = layer
        self.parameters = parameters
        self.x = x
        self.y = y
        self.residual = residual
        statistics = planner.memory.persistentBuffer(byteCount: 4 * x.geometry.physicalChannels * 4)
        scratch = planner.memory.buffer(byteCount: x.geometry.reductionScratchLength * 8)
        planner.memory.use([x, y, residual].compactMap { $0?.buffer } + [scratch], at: .forward(operation))
        gradients = dy.map { dy in
            // The gradients of weight and bias are computed along with that of x.
            let dx =
                dx
                ?? MapPlan(
                    geometry: x.geometry, precision: x.precision,
                    buffer: planner.memory.buffer(byteCount: x.geometry.scalarCount * x.precision.bytes))
            return Gradients(dy: dy, dx: dx, residual: residualGradient)
        }
        guard let gradients else { return }
        let maps = [x, gradients.dy, gradients.dx, gradients.residual?.map]
        planner.memory.use(maps.compactMap { $0?.buffer } + [scratch], at: .backward(operation))
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        let values = NormalizationValues(
            layer, parameters: parameters, x: x, statistics: memory.floats(statistics),
            scratch: memory.pointer(to: scratch).assumingMemoryBound(to: Double.self), memory: memory)
        return BoundOperation(
            forward: BatchNormalizationForwardPass(
                values, y: y.view(in: memory), residual: residual?.view(in: memory),
                padding: ChannelPadding(of: y.geometry, after: layer.activation)),
            backward: gradients.map {
                BatchNormalizationBackwardPass(
                    values, dy: $0.dy.view(in: memory), dx: $0.dx.view(in: memory),
                    residual: $0.residual?.bind(to: memory))
            })
    }
}

/// What both passes of a batch normalization work with.
private struct NormalizationValues {
    let layer: NetworkGraph.BatchNormalization
    let parameters: ParameterStore
    let channels: Int
    var x: dkp_feature_map
    var statistics: dkp_normalization
    let scratch: UnsafeMutablePointer<Double>

    init(
        _ layer: NetworkGraph.BatchNormalization, parameters: ParameterStore, x: MapPlan,
        statistics base: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Double>, memory: PlannedMemory
    ) {
        self.layer = layer
        self.parameters = parameters
        channels = x.geometry.physicalChannels
        self.x = x.view(in: memory)
        statistics = dkp_normalization(
            mean: base, variance: base + channels, scale: base + 2 * channels, shift: base + 3 * channels)
        self.scratch = scratch
    }
}

private final class BatchNormalizationForwardPass: ForwardPass {
    private static let momentum: Float = 0.1

    private var values: NormalizationValues
    private var y: dkp_feature_map
    private let residual: dkp_feature_map?
    private let padding: ChannelPadding?

    init(_ values: NormalizationValues, y: dkp_feature_map, residual: dkp_feature_map?, padding: ChannelPadding?) {
        self.values = values
        self.y = y
        self.residual = residual
        self.padding = padding
    }

    func run(training: Bool) {
        let layer = values.layer
        var (x, statistics) = (values.x, values.statistics)
        if training {
            dkp_batch_statistics(
                &x, values.parameters.values(layer.weight), values.parameters.values(layer.bias), layer.epsilon,
                &statistics, values.scratch)
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

    private func updateRunningStatistics() {
        let mean = values.parameters.values(values.layer.runningMean)
        let variance = values.parameters.values(values.layer.runningVariance)
        let count = Float(values.x.height) * Float(values.x.width)
        let unbiased = count > 1 ? count / (count - 1) : 1
        let statistics = values.statistics
        for channel in 0..<values.channels {
            mean[channel] += Self.momentum * (statistics.mean[channel] - mean[channel])
            variance[channel] += Self.momentum * (statistics.variance[channel] * unbiased - variance[channel])
        }
    }

    private func useRunningStatistics() {
        let (parameters, layer, statistics) = (values.parameters, values.layer, values.statistics)
        let mean = parameters.values(layer.runningMean)
        let variance = parameters.values(layer.runningVariance)
        let weight = parameters.values(layer.weight)
        let bias = parameters.values(layer.bias)
        for channel in 0..<values.channels {
            let scale = weight[channel] / (variance[channel] + layer.epsilon).squareRoot()
            statistics.scale[channel] = scale
            statistics.shift[channel] = bias[channel] - mean[channel] * scale
        }
    }
}

private final class BatchNormalizationBackwardPass: BackwardPass {
    private var values: NormalizationValues
    private var dy: dkp_feature_map
    private var dx: dkp_feature_map
    private let residual: BoundGradientTarget?

    init(_ values: NormalizationValues, dy: dkp_feature_map, dx: dkp_feature_map, residual: BoundGradientTarget?) {
        self.values = values
        self.dy = dy
        self.dx = dx
        self.residual = residual
    }

    func run() {
        dkp_fold_halo(&dy)
        // y = activation(...) + residual: the residual's gradient is dy itself.
        residual?.write { dkp_copy_window(&dy, 0, 0, $0, $1) }
        let layer = values.layer
        var (x, statistics) = (values.x, values.statistics)
        dkp_batch_normalization_backward(
            &x, &dy, layer.activation.kernel, layer.epsilon, &statistics, &dx, values.parameters.gradient(layer.weight),
            values.parameters.gradient(layer.bias), values.scratch)
    }
}
