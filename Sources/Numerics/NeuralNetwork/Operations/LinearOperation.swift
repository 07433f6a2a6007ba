import CNeuralKernels

/// weight x + bias (+ addend), of a vector, see ``NetworkGraph/linear(_:name:outputs:adding:)``. Weights are kept in the
/// precision of the network; all else is f32. Inference only.
struct PlannedLinear: PlannedOperation {
    private let layer: NetworkGraph.Linear
    private let parameters: ParameterStore
    private let precision: Precision
    private let x: MapPlan
    private let y: MapPlan
    private let addend: MapPlan?
    private let weights: MemoryPlan.Buffer

    init(
        _ layer: NetworkGraph.Linear, x: MapPlan, y: MapPlan, addend: MapPlan?, parameters: ParameterStore,
        planner: inout Planner, operation: Int
    ) {
        self.layer = layer
        self.parameters = parameters
        precision = planner.precision
        self.x = x
        self.y = y
        self.addend = addend
        weights = planner.memory.persistentBuffer(
            byteCount: x.geometry.physicalChannels * y.geometry.physicalChannels * precision.bytes)
        planner.memory.use([x, y, addend].compactMap { $0?.buffer }, at: .forward(operation))
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        let weights = LinearWeights(
            parameter: layer.weight, master: parameters.keeps(layer.weight) ? parameters.values(layer.weight) : nil,
            packed: memory.pointer(to: weights), precision: precision, rows: y.geometry.physicalChannels,
            columns: x.geometry.physicalChannels)
        let pass = LinearPass(
            weights: weights, bias: parameters.values(layer.bias), x: memory.floats(x.buffer),
            y: memory.floats(y.buffer), addend: addend.map { memory.floats($0.buffer) })
        return BoundOperation(forward: pass, weights: weights)
    }
}

/// A matrix in the precision of the network.
private final class LinearWeights: PackedWeights {
    let parameter: Int
    var areStale = true
    let packed: UnsafeMutableRawPointer
    let precision: Precision
    let rows: Int
    let columns: Int
    /// Nil where the network keeps none: the weights come by ``pack(_:)``.
    private let master: UnsafeMutablePointer<Float>?

    init(
        parameter: Int, master: UnsafeMutablePointer<Float>?, packed: UnsafeMutableRawPointer, precision: Precision,
        rows: Int, columns: Int
    ) {
        self.parameter = parameter
        self.master = master
        self.packed = packed
        self.precision = precision
        self.rows = rows
        self.columns = columns
    }

    func refresh() {
        guard areStale else { return }
        if let master { pack(master) }
        areStale = false
    }

    func pack(_ plain: UnsafePointer<Float>) {
        if precision == .bf16 {
            dkp_convert_to_bf16(plain, packed.assumingMemoryBound(to: UInt16.self), rows * columns)
        } else {
            packed.copyMemory(from: plain, byteCount: rows * columns * 4)
        }
    }
}

private final class LinearPass: ForwardPass {
    private let weights: LinearWeights
    private let bias: UnsafeMutablePointer<Float>
    private let x: UnsafeMutablePointer<Float>
    private let y: UnsafeMutablePointer<Float>
    private let addend: UnsafeMutablePointer<Float>?

    init(
        weights: LinearWeights, bias: UnsafeMutablePointer<Float>, x: UnsafeMutablePointer<Float>,
        y: UnsafeMutablePointer<Float>, addend: UnsafeMutablePointer<Float>?
    ) {
        self.weights = weights
        self.bias = bias
        self.x = x
        self.y = y
        self.addend = addend
    }

    func run(training: Bool) {
        weights.refresh()
        dkp_linear(
            weights.packed, weights.precision.scalar, Int32(weights.rows), Int32(weights.columns), x, bias, addend, y)
    }
}
