import CNeuralKernels
import COneDNN

/// A 3 x 3 convolution of a map that was enlarged twofold by repetition, taken from the small map: three of the large
/// map's rows are two of the small one's, so each of the four kinds of pixels (even or odd row, even or odd column) is a
/// 2 x 2 convolution whose weights are sums of the original's. That is 4 of 9 multiplications, and the enlarged map never
/// exists. Inference only.
final class EnlargedConvolutionOperation: Operation, PackedWeights {
    /// One kind of pixels.
    private struct Phase {
        let row: Int
        let column: Int
        let descriptions: ConvolutionDescriptions
        let weights: MemoryPlan.Buffer
        var pass: Primitive?

        /// The rows (or columns) of the 3 x 3 weights that meet the first and the second of the two.
        static func merged(_ phase: Int) -> [[Int]] { phase == 0 ? [[0], [1, 2]] : [[0, 1], [2]] }
    }

    private let compute: ComputeStream
    private let parameters: ParameterStore
    private let weight: Int
    private let bias: Int
    private let xPlan: MapPlan
    private let yPlan: MapPlan
    private let biasVector: MapPlan?
    private let biasBuffer: MemoryPlan.Buffer
    private let scratch: MemoryPlan.Buffer
    private let parts: MemoryPlan.Buffer
    private var phases: [Phase] = []
    private var memory: PlannedMemory?
    var weightsAreStale = true

    /// - Parameter x: the small map, without halo.
    init(
        _ layer: NetworkGraph.Convolution, x: MapPlan, y: MapPlan, biasVector: MapPlan?, bias: Int,
        parameters: ParameterStore, planner: inout Planner, operation: Int
    ) throws(NeuralNetworkError) {
        weight = layer.weight
        self.parameters = parameters
        compute = planner.compute
        xPlan = x
        yPlan = y
        self.biasVector = biasVector
        self.bias = bias
        let now = MemoryPlan.Moment.forward(operation)
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let geometry = ConvolutionGeometry(
                inChannels: x.geometry.physicalChannels, outChannels: y.geometry.physicalChannels,
                inHeight: x.geometry.height, inWidth: x.geometry.width, kernelSize: 2, stride: 1,
                rowPadding: (1 - row, row), columnPadding: (1 - column, column))
            guard x.geometry.halo == 0, 2 * geometry.outHeight == y.geometry.physicalHeight,
                2 * geometry.outWidth == y.geometry.physicalWidth
            else { throw .shape("\(parameters.descriptions[layer.weight].name): planned over maps that do not fit") }
            let descriptions = try ConvolutionDescriptions(
                geometry, type: planner.precision.dataType, outputType: y.precision.dataType, tag: x.geometry.tag,
                hasBias: true, training: false, needsInputGradient: false, on: compute)
            let layout = descriptions.forward.memory(dnnl_query_weights_md)
            phases.append(
                Phase(
                    row: row, column: column, descriptions: descriptions,
                    weights: planner.memory.persistentBuffer(byteCount: layout.byteCount)))
        }
        var scratchByteCount = 0
        for phase in phases {
            scratchByteCount = max(scratchByteCount, try phase.descriptions.forwardScratchByteCount(on: compute))
        }
        scratch = planner.memory.buffer(byteCount: scratchByteCount)
        parts = planner.memory.buffer(byteCount: y.geometry.scalarCount * y.precision.bytes)
        biasBuffer = planner.memory.buffer(byteCount: y.geometry.physicalChannels * 4)
        for buffer in [x.buffer, y.buffer, scratch, parts, biasBuffer] + (biasVector.map { [$0.buffer] } ?? []) {
            planner.memory.use(buffer, at: now)
        }
    }

    /// The names of the implementations that oneDNN chose.
    var implementations: [String] { phases.map(\.descriptions.forward.implementation) }

    private var partByteCount: Int { yPlan.geometry.scalarCount / 4 * yPlan.precision.bytes }

    func bind(to memory: PlannedMemory) throws(NeuralNetworkError) {
        self.memory = memory
        let biasLayout = try MemoryDescription(
            dimensions: [yPlan.geometry.physicalChannels], type: dnnl_f32, tag: dnnl_x)
        for index in phases.indices {
            let forward = phases[index].descriptions.forward
            func view(_ query: dnnl_query_t, _ pointer: UnsafeMutableRawPointer) throws(NeuralNetworkError)
                -> MemoryView
            {
                try MemoryView(forward.memory(query), at: pointer, on: compute)
            }
            let part = memory.pointer(to: parts) + index * partByteCount
            phases[index].pass = try Primitive(
                forward, name: name,
                arguments: [
                    (DNNL_ARG_SRC, try view(dnnl_query_src_md, xPlan.physicalPointer(in: memory))),
                    (DNNL_ARG_WEIGHTS, try view(dnnl_query_weights_md, memory.pointer(to: phases[index].weights))),
                    (DNNL_ARG_BIAS, try MemoryView(biasLayout, at: memory.pointer(to: biasBuffer), on: compute)),
                    (DNNL_ARG_DST, try view(dnnl_query_dst_md, part)),
                    (DNNL_ARG_SCRATCHPAD, try view(dnnl_query_scratchpad_md, memory.pointer(to: scratch))),
                ])
        }
    }

    private var name: String { parameters.descriptions[weight].name }

    var weightParameter: Int { weight }

    func pack(_ plain: UnsafePointer<Float>) throws(NeuralNetworkError) {
        guard let memory else { preconditionFailure("weights are packed before the operation is bound") }
        let shape = phases[0].descriptions.geometry.weightShape
        let merged = UnsafeMutablePointer<Float>.allocate(capacity: shape.reduce(1, *))
        defer { merged.deallocate() }
        let layout = try MemoryDescription(dimensions: shape, type: dnnl_f32, tag: dnnl_oihw)
        let source = try MemoryView(layout, at: merged, on: compute)
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
            let packed = phase.descriptions.forward.memory(dnnl_query_weights_md)
            let reorder = try PrimitiveDescription.reorder(layout, to: packed, name: name, on: compute)
            let target = try MemoryView(packed, at: memory.pointer(to: phase.weights), on: compute)
            let working = try MemoryView(
                reorder.memory(dnnl_query_scratchpad_md), at: memory.pointer(to: scratch), on: compute)
            try Primitive(
                reorder, name: "reorder of \(name)",
                arguments: [(DNNL_ARG_FROM, source), (DNNL_ARG_TO, target), (DNNL_ARG_SCRATCHPAD, working)]
            )
            .run(on: compute)
        }
    }

    func forward(training: Bool) throws(NeuralNetworkError) {
        guard let memory else { preconditionFailure("an operation runs before it is bound") }
        if weightsAreStale {
            if parameters.keeps(weight) { try pack(parameters.values(weight)) }
            weightsAreStale = false
        }
        let sums = memory.floats(biasBuffer)
        let values = parameters.values(bias)
        let addends = biasVector.map { memory.floats($0.buffer) }
        for channel in 0..<yPlan.geometry.physicalChannels {
            sums[channel] = values[channel] + (addends?[channel] ?? 0)
        }
        for phase in phases { try phase.pass?.run(on: compute) }
        var y = yPlan.view(in: memory)
        var partGeometry = yPlan.geometry
        partGeometry.height /= 2
        partGeometry.width /= 2
        let part = MapPlan(geometry: partGeometry, precision: yPlan.precision, buffer: self.parts)
        let parts = (0..<4).map { part.view(at: memory.pointer(to: self.parts) + $0 * partByteCount) }
        parts.withUnsafeBufferPointer { parts in
            if let base = parts.baseAddress { dkp_interleave(base, &y) }
        }
    }
}
