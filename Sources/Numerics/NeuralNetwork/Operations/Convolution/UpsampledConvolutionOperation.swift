import CNeuralKernels
import COneDNN

/// A 3 x 3 convolution of a map that was upsampled twofold by repetition, taken from the small map: three of the large
/// map's rows are two of the small one's, so each of the four kinds of pixels (even or odd row, even or odd column) is a
/// 2 x 2 convolution whose weights are sums of the original's. That is 4 of 9 multiplications, and the upsampled map
/// never exists. Inference only.
struct PlannedUpsampledConvolution: PlannedOperation {
    /// One kind of pixels.
    private struct Phase {
        let row: Int
        let column: Int
        let description: ConvolutionDescription
        let weights: MemoryPlan.Buffer
    }

    private let layer: NetworkGraph.Convolution
    private let compute: ComputeStream
    private let parameters: ParameterStore
    private let x: MapPlan
    private let y: MapPlan
    /// The bias alone, or with a vector.
    private let bias: UpsampledConvolutionBias
    private let phases: [Phase]
    private let parts: MemoryPlan.Buffer
    private let scratch: MemoryPlan.Buffer

    /// - Parameter x: the small map, without halo.
    init(
        _ layer: NetworkGraph.Convolution, x: MapPlan, y: MapPlan, biasVector: MapPlan?, bias: Int,
        parameters: ParameterStore, planner: inout Planner, operation: Int
    ) throws(NeuralNetworkError) {
        self.layer = layer
        self.parameters = parameters
        compute = planner.compute
        self.x = x
        self.y = y
        var phases: [Phase] = []
        var scratchByteCount = 0
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let geometry = ConvolutionGeometry(phaseRow: row, phaseColumn: column, x: x.geometry, y: y.geometry)
            guard x.geometry.halo == 0, 2 * geometry.outHeight == y.geometry.physicalHeight,
                2 * geometry.outWidth == y.geometry.physicalWidth
            else { throw .shape("\(parameters.descriptions[layer.weight].name): planned over maps that do not fit") }
            let description = try ConvolutionDescription(
                geometry, type: planner.precision.dataType, outputType: y.precision.dataType, residualType: nil,
                tag: x.geometry.tag, hasBias: true, training: false, on: compute)
            let packing = try PrimitiveDescription.reorder(
                geometry.plainWeights(), to: description.weights, name: "weights", on: compute)
            scratchByteCount = max(
                scratchByteCount, description.primitive.scratchByteCount, packing.scratchByteCount)
            phases.append(
                Phase(
                    row: row, column: column, description: description,
                    weights: planner.memory.persistentBuffer(byteCount: description.weights.byteCount)))
        }
        self.phases = phases
        scratch = planner.memory.buffer(byteCount: scratchByteCount)
        parts = planner.memory.buffer(byteCount: y.geometry.scalarCount * y.precision.bytes)
        planner.memory.use([x.buffer, y.buffer, scratch, parts], at: .forward(operation))
        self.bias =
            if let biasVector {
                .sum(
                    PlannedBiasSum(
                        bias: bias, vector: biasVector, count: y.geometry.physicalChannels, parameters: parameters,
                        planner: &planner, operation: operation))
            } else { .parameter(bias) }
    }

    func bind(to memory: PlannedMemory) throws(NeuralNetworkError) -> BoundOperation {
        let name = parameters.descriptions[layer.weight].name
        let scratch = memory.pointer(to: scratch)
        var partGeometry = y.geometry
        partGeometry.height /= 2
        partGeometry.width /= 2
        let part = MapPlan(geometry: partGeometry, precision: y.precision, buffer: parts)
        let partByteCount = partGeometry.scalarCount * y.precision.bytes
        let partPointers = phases.indices.map { memory.pointer(to: parts) + $0 * partByteCount }
        let biasValues =
            switch bias {
            case .parameter(let index): parameters.values(index)
            case .sum(let sum): memory.floats(sum.buffer)
            }
        var passes: [Primitive] = []
        var weights: [UpsampledConvolutionWeights.Phase] = []
        for (phase, pointer) in zip(phases, partPointers) {
            let description = phase.description.primitive
            func view(_ query: dnnl_query_t, _ pointer: UnsafeMutableRawPointer) throws(NeuralNetworkError)
                -> MemoryView
            {
                try MemoryView(description.memory(query), at: pointer, on: compute)
            }
            let packed = try view(dnnl_query_weights_md, memory.pointer(to: phase.weights))
            let bias = try MemoryView(phase.description.geometry.biasLayout(), at: biasValues, on: compute)
            weights.append(
                .init(row: phase.row, column: phase.column, layout: phase.description.weights, packed: packed))
            passes.append(
                try Primitive(
                    description, name: name,
                    arguments: [
                        (DNNL_ARG_SRC, try view(dnnl_query_src_md, x.physicalPointer(in: memory))),
                        (DNNL_ARG_WEIGHTS, packed), (DNNL_ARG_BIAS, bias),
                        (DNNL_ARG_DST, try view(dnnl_query_dst_md, pointer)),
                        (DNNL_ARG_SCRATCHPAD, try view(dnnl_query_scratchpad_md, scratch)),
                    ]))
        }
        let shape = phases[0].description.geometry.weightShape
        let bound = UpsampledConvolutionWeights(
            parameter: layer.weight, shape: shape,
            master: parameters.keeps(layer.weight) ? parameters.values(layer.weight) : nil, phases: weights,
            plain: try phases[0].description.geometry.plainWeights(), scratch: scratch, name: name, on: compute)
        let biasSum: BiasSum? = if case .sum(let sum) = bias { sum.bind(to: memory) } else { nil }
        return BoundOperation(
            forward: UpsampledConvolutionPass(
                weights: bound, biasSum: biasSum, passes: passes, parts: partPointers.map { part.view(at: $0) },
                y: y.view(in: memory), on: compute), weights: bound,
            implementations: phases.map(\.description.primitive.implementation))
    }
}

private enum UpsampledConvolutionBias {
    case parameter(Int)
    case sum(PlannedBiasSum)
}

/// The sums of 3 x 3 weights for each kind of pixels, in oneDNN's layout.
private final class UpsampledConvolutionWeights: PackedWeights {
    struct Phase {
        let row: Int
        let column: Int
        let layout: MemoryDescription
        let packed: MemoryView

        /// The rows (or columns) of the 3 x 3 weights that meet the first and the second of the two.
        static func merged(_ phase: Int) -> [[Int]] { phase == 0 ? [[0], [1, 2]] : [[0, 1], [2]] }
    }

    let parameter: Int
    var areStale = true
    private let shape: [Int]
    /// Nil where the network keeps none: the weights come by ``pack(_:)``.
    private let master: UnsafeMutablePointer<Float>?
    private let phases: [Phase]
    private let reordering: WeightReordering

    init(
        parameter: Int, shape: [Int], master: UnsafeMutablePointer<Float>?, phases: [Phase], plain: MemoryDescription,
        scratch: UnsafeMutableRawPointer, name: String, on compute: ComputeStream
    ) {
        self.parameter = parameter
        self.shape = shape
        self.master = master
        self.phases = phases
        reordering = WeightReordering(plain: plain, scratch: scratch, name: name, compute: compute)
    }

    func refresh() throws(NeuralNetworkError) {
        guard areStale else { return }
        if let master { try pack(master) }
        areStale = false
    }

    func pack(_ plain: UnsafePointer<Float>) throws(NeuralNetworkError) {
        let merged = UnsafeMutablePointer<Float>.allocate(capacity: shape.reduce(1, *))
        defer { merged.deallocate() }
        for phase in phases {
            let (rows, columns) = (Phase.merged(phase.row), Phase.merged(phase.column))
            for plane in 0..<shape[0] * shape[1] {
                let from = plain + plane * 9
                for (place, (row, column)) in [(0, 0), (0, 1), (1, 0), (1, 1)].enumerated() {
                    var sum: Float = 0
                    for r in rows[row] { for c in columns[column] { sum += from[r * 3 + c] } }
                    merged[plane * 4 + place] = sum
                }
            }
            try reordering.primitive(from: merged, to: phase.layout, phase.packed).run(on: reordering.compute)
        }
    }
}

private final class UpsampledConvolutionPass: ForwardPass {
    private let weights: UpsampledConvolutionWeights
    private let biasSum: BiasSum?
    private let passes: [Primitive]
    private let parts: [dkp_feature_map]
    private var y: dkp_feature_map
    private let compute: ComputeStream

    init(
        weights: UpsampledConvolutionWeights, biasSum: BiasSum?, passes: [Primitive], parts: [dkp_feature_map],
        y: dkp_feature_map, on compute: ComputeStream
    ) {
        self.weights = weights
        self.biasSum = biasSum
        self.passes = passes
        self.parts = parts
        self.y = y
        self.compute = compute
    }

    func run(training: Bool) throws(NeuralNetworkError) {
        try weights.refresh()
        biasSum?.run()
        for pass in passes { try pass.run(on: compute) }
        dkp_interleave(parts, &y)
    }
}

extension ConvolutionGeometry {
    /// The 2 x 2 convolution of the small map `x` that makes the pixels of `y` in even (0) or odd (1) rows and columns.
    fileprivate init(phaseRow row: Int, phaseColumn column: Int, x: MapGeometry, y: MapGeometry) {
        self.init(
            inChannels: x.physicalChannels, outChannels: y.physicalChannels, inHeight: x.height, inWidth: x.width,
            kernelSize: 2, stride: 1, rowPadding: (1 - row, row), columnPadding: (1 - column, column))
    }
}
