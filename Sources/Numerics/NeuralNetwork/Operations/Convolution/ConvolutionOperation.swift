import CNeuralKernels
import COneDNN

/// A convolution on oneDNN.
///
/// The input map carries exactly the halo that the convolution reads, so oneDNN sees a plain convolution without
/// padding over the physical plane. A 1 x 1 convolution runs over the halo as well: what it writes there is never read,
/// and the gradient there is zero.
///
/// A residual is added as oneDNN's convolution writes its result, and a bias vector on the way to it.
///
/// Where the processor lacks bf16, the same convolution runs in f32 between ``ConvolutionStaging`` buffers.
struct PlannedConvolution: PlannedOperation {
    private let layer: NetworkGraph.Convolution
    private let parameters: ParameterStore
    private let compute: ComputeStream
    private let description: ConvolutionDescription
    private let x: MapPlan
    private let y: MapPlan
    private let residual: MapPlan?
    private let biasSum: PlannedBiasSum?
    private let weights: PlannedConvolutionWeights
    private let staging: ConvolutionStaging?
    private let backward: PlannedConvolutionBackward?
    private let scratch: MemoryPlan.Buffer

    init(
        _ layer: NetworkGraph.Convolution, x: MapPlan, y: MapPlan, dy: MapPlan?, dx: GradientTarget?,
        biasVector: MapPlan?, residual: MapPlan?, parameters: ParameterStore, planner: inout Planner, operation: Int
    ) throws(NeuralNetworkError) {
        self.layer = layer
        self.parameters = parameters
        self.x = x
        self.y = y
        self.residual = residual
        let compute = planner.compute
        self.compute = compute
        let isNative = planner.precision.isNative
        let type = isNative ? planner.precision.dataType : dnnl_f32
        let geometry = ConvolutionGeometry(layer, x: x.geometry, outChannels: y.geometry.physicalChannels)
        try geometry.check(
            name: parameters.descriptions[layer.weight].name, x: x.geometry,
            results: [y, dy, residual].compactMap { $0?.geometry }, inputGradient: dx?.map.geometry)
        let description = try ConvolutionDescription(
            geometry, type: type, outputType: isNative ? y.precision.dataType : dnnl_f32,
            residualType: residual.map { _ in type }, tag: x.geometry.tag, hasBias: layer.bias != nil,
            training: dy != nil, on: compute)
        self.description = description
        let backwardDescriptions = try dy.map { _ throws(NeuralNetworkError) in
            try ConvolutionBackwardDescriptions(description, needsInputGradient: dx != nil, on: compute)
        }

        let now = MemoryPlan.Moment.forward(operation)
        weights = PlannedConvolutionWeights(
            layer.weight, forward: description.weights,
            backward: backwardDescriptions?.data?.description.memory(dnnl_query_weights_md),
            isRounded: !isNative, shape: geometry.weightShape, parameters: parameters, planner: &planner,
            operation: operation)
        scratch = planner.memory.buffer(
            byteCount: max(
                description.primitive.scratchByteCount,
                try weights.packingScratchByteCount(geometry.plainWeights(), on: compute)))
        planner.memory.use([x, y, residual].compactMap { $0?.buffer } + [scratch], at: now)
        biasSum = zip(layer.bias, biasVector).map { bias, vector in
            PlannedBiasSum(
                bias: bias, vector: vector, count: geometry.outChannels, parameters: parameters, planner: &planner,
                operation: operation)
        }
        let staging =
            isNative
            ? nil : ConvolutionStaging(x: x, y: y, residual: residual, planner: &planner, operation: operation)
        self.staging = staging
        backward = try zip(dy, backwardDescriptions).map { dy, descriptions throws(NeuralNetworkError) in
            try PlannedConvolutionBackward(
                layer, descriptions, x: x, dy: dy, dx: dx, staging: staging, parameters: parameters, planner: &planner,
                operation: operation)
        }
    }

    func bind(to memory: PlannedMemory) throws(NeuralNetworkError) -> BoundOperation {
        let name = parameters.descriptions[layer.weight].name
        let bound = try weights.bind(
            to: memory, scratch: memory.pointer(to: scratch), plain: description.geometry.plainWeights(), name: name,
            on: compute)
        let forward = description.primitive
        func view(_ layout: MemoryDescription, _ pointer: UnsafeMutableRawPointer) throws(NeuralNetworkError)
            -> MemoryView
        {
            try MemoryView(layout, at: pointer, on: compute)
        }
        let input = staging.map { memory.pointer(to: $0.input) } ?? x.physicalPointer(in: memory)
        let output = staging.map { memory.pointer(to: $0.output) } ?? y.physicalPointer(in: memory)
        var arguments: [(Int32, MemoryView)] = [
            (DNNL_ARG_SRC, try view(forward.memory(dnnl_query_src_md), input)),
            (DNNL_ARG_WEIGHTS, bound.packed),
            (DNNL_ARG_DST, try view(forward.memory(dnnl_query_dst_md), output)),
            (DNNL_ARG_SCRATCHPAD, try view(forward.memory(dnnl_query_scratchpad_md), memory.pointer(to: scratch))),
        ]
        if let bias = layer.bias {
            let values = biasSum.map { memory.floats($0.buffer) } ?? parameters.values(bias)
            arguments.append((DNNL_ARG_BIAS, try view(description.geometry.biasLayout(), values)))
        }
        if let residual {
            let addend = staging?.residual.map { memory.pointer(to: $0) } ?? residual.physicalPointer(in: memory)
            let layout = forward.memory(dnnl_query_dst_md).with(
                type: staging == nil ? residual.precision.dataType : dnnl_f32)
            arguments.append((PrimitiveDescription.addend, try view(layout, addend)))
        }
        let pass = ConvolutionForwardPass(
            weights: bound, biasSum: biasSum?.bind(to: memory),
            primitive: try Primitive(forward, name: name, arguments: arguments), on: compute)
        return BoundOperation(
            forward: staging?.around(pass, x: x, y: y, residual: residual, memory: memory) ?? pass,
            backward: try backward?.bind(to: memory, weights: bound, name: name), weights: bound,
            implementations: [forward.implementation] + (backward?.implementations ?? []))
    }
}

/// A native convolution over its memory.
final class ConvolutionForwardPass: ForwardPass {
    private let weights: ConvolutionWeights
    private let biasSum: BiasSum?
    private let primitive: Primitive
    private let compute: ComputeStream

    init(weights: ConvolutionWeights, biasSum: BiasSum?, primitive: Primitive, on compute: ComputeStream) {
        self.weights = weights
        self.biasSum = biasSum
        self.primitive = primitive
        self.compute = compute
    }

    func run(training: Bool) throws(NeuralNetworkError) {
        try weights.refresh()
        biasSum?.run()
        try primitive.run(on: compute)
    }
}

/// A bias parameter plus a vector of the network: what a convolution takes as its bias.
struct PlannedBiasSum {
    private let bias: Int
    private let vector: MapPlan
    private let count: Int
    private let parameters: ParameterStore
    let buffer: MemoryPlan.Buffer

    init(
        bias: Int, vector: MapPlan, count: Int, parameters: ParameterStore, planner: inout Planner, operation: Int
    ) {
        self.bias = bias
        self.vector = vector
        self.count = count
        self.parameters = parameters
        buffer = planner.memory.buffer(byteCount: count * 4)
        planner.memory.use([buffer, vector.buffer], at: .forward(operation))
    }

    func bind(to memory: PlannedMemory) -> BiasSum {
        BiasSum(
            bias: parameters.values(bias), vector: memory.floats(vector.buffer), sum: memory.floats(buffer),
            count: count)
    }
}

/// A ``PlannedBiasSum`` over its memory.
struct BiasSum {
    let bias: UnsafeMutablePointer<Float>
    let vector: UnsafeMutablePointer<Float>
    let sum: UnsafeMutablePointer<Float>
    let count: Int

    func run() {
        for channel in 0..<count { sum[channel] = bias[channel] + vector[channel] }
    }
}

/// Both, or nothing.
func zip<First, Second>(_ first: First?, _ second: Second?) -> (First, Second)? {
    guard let first, let second else { return nil }
    return (first, second)
}

extension NetworkGraph.Convolution {
    /// The halo that the input map must carry; nil if any will do.
    var requiredHalo: Int? {
        if case .reflection(let amount) = padding, amount > 0 { return amount }
        return kernelSize == 1 && stride == 1 && padding.total == 0 ? nil : 0
    }

    var zeroPadding: (before: Int, after: Int) {
        switch padding {
        case .zero(let amount): (amount, amount)
        case .trailingZero(let amount): (0, amount)
        case .reflection: (0, 0)
        }
    }
}
