import CNeuralKernels

/// weight x + bias (+ addend), of a vector, see ``NetworkGraph/linear(_:name:outputs:adding:)``. Weights are kept in the
/// precision of the network; all else is f32.
final class LinearOperation: Operation, PackedWeights {
    private let layer: NetworkGraph.Linear
    private let parameters: ParameterStore
    private let precision: Precision
    private let xPlan: MapPlan
    private let yPlan: MapPlan
    private let addendPlan: MapPlan?
    private let weightBuffer: MemoryPlan.Buffer

    @Bound private var x: UnsafeMutablePointer<Float>
    @Bound private var y: UnsafeMutablePointer<Float>
    @Bound private var weights: UnsafeMutableRawPointer
    private var addend: UnsafeMutablePointer<Float>?
    var weightsAreStale = true

    private var rows: Int { yPlan.geometry.physicalChannels }
    private var columns: Int { xPlan.geometry.physicalChannels }

    init(
        _ layer: NetworkGraph.Linear, x: MapPlan, y: MapPlan, addend: MapPlan?, parameters: ParameterStore,
        planner: inout Planner, operation: Int
    ) {
        self.layer = layer
        self.parameters = parameters
        precision = planner.precision
        xPlan = x
        yPlan = y
        addendPlan = addend
        weightBuffer = planner.memory.persistentBuffer(
            byteCount: x.geometry.physicalChannels * y.geometry.physicalChannels * precision.bytes)
        for map in [x, y, addend].compactMap({ $0 }) { planner.memory.use(map.buffer, at: .forward(operation)) }
    }

    func bind(to memory: PlannedMemory) {
        x = memory.floats(xPlan.buffer)
        y = memory.floats(yPlan.buffer)
        addend = addendPlan.map { memory.floats($0.buffer) }
        weights = memory.pointer(to: weightBuffer)
    }

    var weightParameter: Int { layer.weight }

    func pack(_ plain: UnsafePointer<Float>) {
        if precision == .bf16 {
            dkp_convert_to_bf16(plain, weights.assumingMemoryBound(to: UInt16.self), rows * columns)
        } else {
            weights.copyMemory(from: plain, byteCount: rows * columns * 4)
        }
    }

    func forward(training: Bool) {
        if weightsAreStale {
            if parameters.keeps(layer.weight) { pack(parameters.values(layer.weight)) }
            weightsAreStale = false
        }
        dkp_linear(
            weights, precision.scalar, Int32(rows), Int32(columns), x, parameters.values(layer.bias), addend, y)
    }
}
