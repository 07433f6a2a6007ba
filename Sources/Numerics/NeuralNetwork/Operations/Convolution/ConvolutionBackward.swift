import CNeuralKernels
import COneDNN

/// The backward passes of a convolution in the plan. Training only.
struct PlannedConvolutionBackward {
    /// The gradient of the input.
    private struct Input {
        let description: InputGradientDescription
        let target: GradientTarget
        /// Where the gradient is put before it is added to what others have written.
        let summand: MemoryPlan.Buffer?
        /// The gradient of the result with zeros between its pixels.
        let dilated: MemoryPlan.Buffer?
    }

    private let layer: NetworkGraph.Convolution
    private let parameters: ParameterStore
    private let compute: ComputeStream
    private let descriptions: ConvolutionBackwardDescriptions
    private let x: MapPlan
    private let dy: MapPlan
    private let staging: ConvolutionStaging?
    private let weightGradient: MemoryPlan.Buffer
    private let input: Input?
    private let scratch: MemoryPlan.Buffer

    init(
        _ layer: NetworkGraph.Convolution, _ descriptions: ConvolutionBackwardDescriptions, x: MapPlan, dy: MapPlan,
        dx: GradientTarget?, staging: ConvolutionStaging?, parameters: ParameterStore, planner: inout Planner,
        operation: Int
    ) throws(NeuralNetworkError) {
        self.layer = layer
        self.parameters = parameters
        self.descriptions = descriptions
        self.x = x
        self.dy = dy
        self.staging = staging
        compute = planner.compute
        scratch = planner.memory.buffer(byteCount: try descriptions.scratchByteCount(on: compute))
        weightGradient = planner.memory.buffer(
            byteCount: descriptions.weights.memory(dnnl_query_diff_weights_md).byteCount)
        input = zip(descriptions.data, dx).map { description, dx in
            Input(
                description: description, target: dx,
                summand: dx.accumulates
                    ? planner.memory.buffer(byteCount: x.geometry.scalarCount * planner.precision.bytes) : nil,
                dilated: description.isDilated
                    ? planner.memory.buffer(
                        byteCount: description.description.memory(dnnl_query_diff_dst_md).byteCount) : nil)
        }
        let optional = [staging?.input, staging?.output, input?.target.map.buffer, input?.summand, input?.dilated]
        planner.memory.use(
            [x.buffer, dy.buffer, scratch, weightGradient] + optional.compactMap { $0 }, at: .backward(operation))
    }

    var implementations: [String] {
        [input?.description.description, descriptions.weights].compactMap { $0?.implementation }
    }

    func bind(
        to memory: PlannedMemory, weights: ConvolutionWeights, name: String
    ) throws(NeuralNetworkError) -> any BackwardPass {
        let operand = staging.map { memory.pointer(to: $0.input) } ?? x.physicalPointer(in: memory)
        let gradient = staging.map { memory.pointer(to: $0.output) } ?? dy.physicalPointer(in: memory)
        let (weightPass, unpacking) = try bindWeightGradient(input: operand, gradient: gradient, memory, name: name)
        let pass = ConvolutionBackwardPass(
            weights: weightPass, unpacking: unpacking,
            input: try zip(input, weights.packedBackward).map { input, packed throws(NeuralNetworkError) in
                try bind(input, packed, gradient: gradient, memory, name: name)
            }, on: compute)
        return staging?.around(pass, x: x, dy: dy, memory: memory) ?? pass
    }

    private func view(
        _ layout: MemoryDescription, _ pointer: UnsafeMutableRawPointer
    ) throws(NeuralNetworkError) -> MemoryView {
        try MemoryView(layout, at: pointer, on: compute)
    }

    private func bindWeightGradient(
        input: UnsafeMutableRawPointer, gradient: UnsafeMutableRawPointer, _ memory: PlannedMemory, name: String
    ) throws(NeuralNetworkError) -> (pass: Primitive, unpacking: Primitive) {
        let description = descriptions.weights
        let layout = description.memory(dnnl_query_diff_weights_md)
        let packed = try view(layout, memory.pointer(to: weightGradient))
        var arguments: [(Int32, MemoryView)] = [
            (DNNL_ARG_SRC, try view(description.memory(dnnl_query_src_md), input)),
            (DNNL_ARG_DIFF_DST, try view(description.memory(dnnl_query_diff_dst_md), gradient)),
            (DNNL_ARG_DIFF_WEIGHTS, packed),
            (DNNL_ARG_SCRATCHPAD, try view(description.memory(dnnl_query_scratchpad_md), memory.pointer(to: scratch))),
        ]
        if let bias = layer.bias {
            let layout = try descriptions.geometry.biasLayout()
            arguments.append((DNNL_ARG_DIFF_BIAS, try view(layout, parameters.gradient(bias))))
        }
        let plain = try descriptions.geometry.plainWeights()
        return (
            try Primitive(description, name: name, arguments: arguments),
            try .reorder(
                layout, packed, to: plain, view(plain, parameters.gradient(layer.weight)),
                scratch: memory.pointer(to: scratch), name: name, on: compute)
        )
    }

    private func bind(
        _ input: Input, _ packed: MemoryView, gradient: UnsafeMutableRawPointer, _ memory: PlannedMemory, name: String
    ) throws(NeuralNetworkError) -> InputGradientPass {
        let description = input.description.description
        let map = input.target.map
        let target = map.physicalPointer(in: memory)
        let summand = input.summand.map { memory.pointer(to: $0) }
        let count = x.geometry.scalarCount
        let result = staging.map { memory.pointer(to: $0.input) } ?? summand ?? target
        let primitive = try Primitive(
            description, name: name,
            arguments: [
                (
                    DNNL_ARG_DIFF_DST,
                    try view(
                        description.memory(dnnl_query_diff_dst_md),
                        input.dilated.map { memory.pointer(to: $0) } ?? gradient)
                ),
                (DNNL_ARG_WEIGHTS, packed),
                (DNNL_ARG_DIFF_SRC, try view(description.memory(dnnl_query_diff_src_md), result)),
                (
                    DNNL_ARG_SCRATCHPAD,
                    try view(description.memory(dnnl_query_scratchpad_md), memory.pointer(to: scratch))
                ),
            ])
        return InputGradientPass(
            dilation: input.dilated.map { dilation(into: $0, memory) }, primitive: primitive,
            narrowing: staging.map {
                MapConversion(from: memory.pointer(to: $0.input), .f32, to: summand ?? target, .bf16, count: count)
            },
            addition: summand.map {
                Addition(target: target, summand: $0, count: count, scalar: map.precision.scalar)
            })
    }

    /// See ``InputGradientDescription/isDilated``.
    private func dilation(into buffer: MemoryPlan.Buffer, _ memory: PlannedMemory) -> Dilation {
        let precision: Precision = staging == nil ? dy.precision : .f32
        let geometry = descriptions.geometry
        var dilated = dy.geometry
        dilated.halo = 0
        let (rows, columns) = (geometry.rowPadding, geometry.columnPadding)
        dilated.height = geometry.inHeight - geometry.kernelSize + 1 + rows.before + rows.after
        dilated.width = geometry.inWidth - geometry.kernelSize + 1 + columns.before + columns.after
        let gradient =
            staging.map { MapPlan(geometry: dy.geometry, precision: .f32, buffer: $0.output) } ?? dy
        return Dilation(
            gradient: gradient.view(in: memory), stride: Int32(geometry.stride),
            dilated: MapPlan(geometry: dilated, precision: precision, buffer: buffer).view(in: memory))
    }
}

/// The backward passes of a native convolution over their memory.
final class ConvolutionBackwardPass: BackwardPass {
    private let weights: Primitive
    private let unpacking: Primitive
    private let input: InputGradientPass?
    private let compute: ComputeStream

    init(weights: Primitive, unpacking: Primitive, input: InputGradientPass?, on compute: ComputeStream) {
        self.weights = weights
        self.unpacking = unpacking
        self.input = input
        self.compute = compute
    }

    func run() throws(NeuralNetworkError) {
        try weights.run(on: compute)
        try unpacking.run(on: compute)
        try input?.run(on: compute)
    }
}

/// The pass to the gradient of a convolution's input.
struct InputGradientPass {
    let dilation: Dilation?
    let primitive: Primitive
    /// Of a result in f32, where the processor lacks bf16.
    let narrowing: MapConversion?
    let addition: Addition?

    func run(on compute: ComputeStream) throws(NeuralNetworkError) {
        dilation?.run()
        try primitive.run(on: compute)
        narrowing?.run()
        addition?.run()
    }
}

/// Puts zeros between the pixels of a map.
struct Dilation {
    let gradient: dkp_feature_map
    let stride: Int32
    let dilated: dkp_feature_map

    func run() {
        withUnsafePointer(to: gradient) { gradient in
            withUnsafePointer(to: dilated) { dkp_dilate(gradient, stride, $0) }
        }
    }
}

/// target += summand
struct Addition {
    let target: UnsafeMutableRawPointer
    let summand: UnsafeMutableRawPointer
    let count: Int
    let scalar: dkp_scalar

    func run() { dkp_accumulate(target, summand, count, scalar) }
}
