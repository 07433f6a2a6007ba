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
/// Where the processor lacks bf16, bf16 maps are widened to f32 staging buffers around the same f32 primitives.
final class ConvolutionOperation: Operation, PackedWeights {
    private let compute: ComputeStream
    private let parameters: ParameterStore
    private let layer: NetworkGraph.Convolution
    private let precision: Precision
    private let descriptions: ConvolutionDescriptions
    private let x: MapPlan
    private let y: MapPlan
    private let dy: MapPlan?
    private let dx: GradientTarget?
    private let biasVector: MapPlan?
    private let residual: MapPlan?

    private let forwardWeights: MemoryPlan.Buffer
    private var backwardWeights: MemoryPlan.Buffer?
    private var weightGradient: MemoryPlan.Buffer?
    private var inputGradient: MemoryPlan.Buffer?
    private var roundedWeights: MemoryPlan.Buffer?
    private var stagedInput: MemoryPlan.Buffer?
    private var stagedOutput: MemoryPlan.Buffer?
    private var stagedResidual: MemoryPlan.Buffer?
    private var summedBias: MemoryPlan.Buffer?
    private var dilatedGradient: MemoryPlan.Buffer?
    private let scratch: MemoryPlan.Buffer
    private var backwardScratch: MemoryPlan.Buffer?

    private var memory: PlannedMemory?
    private var packing: [Primitive] = []
    private var forwardPass: Primitive?
    private var backwardDataPass: Primitive?
    private var backwardWeightsPass: Primitive?
    private var unpackGradient: Primitive?
    /// Set when the master weights have changed since they were last packed.
    var weightsAreStale = true

    private var isEmulated: Bool { !precision.isNative }

    init(
        _ layer: NetworkGraph.Convolution, x: MapPlan, y: MapPlan, dy: MapPlan?, dx: GradientTarget?,
        biasVector: MapPlan? = nil, residual: MapPlan? = nil, parameters: ParameterStore, planner: inout Planner,
        operation: Int
    ) throws(NeuralNetworkError) {
        self.layer = layer
        self.parameters = parameters
        self.x = x
        self.y = y
        self.dy = dy
        self.dx = dx
        self.biasVector = biasVector
        self.residual = residual
        precision = planner.precision
        compute = planner.compute
        let type = precision.isNative ? precision.dataType : dnnl_f32
        let outputType = precision.isNative ? y.precision.dataType : dnnl_f32
        let geometry = ConvolutionGeometry(
            inChannels: x.geometry.physicalChannels, outChannels: y.geometry.physicalChannels,
            inHeight: x.geometry.physicalHeight, inWidth: x.geometry.physicalWidth, kernelSize: layer.kernelSize,
            stride: layer.stride, rowPadding: layer.zeroPadding,
            columnPadding: layer.zeroPadding)
        let planes = [y, dy, residual].compactMap { $0?.geometry }
        // oneDNN writes as many pixels as it computes, wherever the buffer ends.
        for plane in planes where !geometry.fills(plane) {
            throw .shape(
                "\(parameters.descriptions[layer.weight].name): a result of \(geometry.outHeight) x "
                    + "\(geometry.outWidth) is planned as \(plane.physicalHeight) x \(plane.physicalWidth)")
        }
        if let gradient = dx?.map.geometry,
            gradient.physicalHeight != x.geometry.physicalHeight || gradient.physicalWidth != x.geometry.physicalWidth
        {
            throw .shape(
                "\(parameters.descriptions[layer.weight].name): the gradient of a map of \(x.geometry.physicalHeight) x "
                    + "\(x.geometry.physicalWidth) is planned as \(gradient.physicalHeight) x \(gradient.physicalWidth)"
            )
        }
        descriptions = try ConvolutionDescriptions(
            geometry, type: type, outputType: outputType, residualType: residual.map { _ in type },
            tag: x.geometry.tag, hasBias: layer.bias != nil, training: dy != nil, needsInputGradient: dx != nil,
            on: compute)
        let forwardLayout = descriptions.forward.memory(dnnl_query_weights_md)
        forwardWeights = planner.memory.persistentBuffer(byteCount: forwardLayout.byteCount)
        scratch = planner.memory.buffer(byteCount: try descriptions.forwardScratchByteCount(on: compute))
        planner.memory.use(scratch, at: .forward(operation))
        planner.memory.use(x.buffer, at: .forward(operation))
        planner.memory.use(y.buffer, at: .forward(operation))
        if let residual { planner.memory.use(residual.buffer, at: .forward(operation)) }
        if let biasVector {
            let sum = planner.memory.buffer(byteCount: geometry.outChannels * 4)
            planner.memory.use(sum, at: .forward(operation))
            planner.memory.use(biasVector.buffer, at: .forward(operation))
            summedBias = sum
        }
        if isEmulated {
            if parameters.keeps(layer.weight) {
                let rounded = planner.memory.buffer(byteCount: geometry.weightShape.reduce(4, *))
                planner.memory.use(rounded, at: .forward(operation))
                roundedWeights = rounded
            }
            if let residual {
                let staged = planner.memory.buffer(byteCount: residual.geometry.scalarCount * 4)
                planner.memory.use(staged, at: .forward(operation))
                stagedResidual = staged
            }
            let input = planner.memory.buffer(byteCount: x.geometry.scalarCount * 4)
            let output = planner.memory.buffer(byteCount: y.geometry.scalarCount * 4)
            planner.memory.use(input, at: .forward(operation))
            planner.memory.use(output, at: .forward(operation))
            stagedInput = input
            stagedOutput = output
        }
        guard let dy else { return }
        let now = MemoryPlan.Moment.backward(operation)
        planner.memory.use(x.buffer, at: now)
        planner.memory.use(dy.buffer, at: now)
        let backwardScratch = planner.memory.buffer(byteCount: try descriptions.backwardScratchByteCount(on: compute))
        planner.memory.use(backwardScratch, at: now)
        self.backwardScratch = backwardScratch
        if let stagedInput { planner.memory.use(stagedInput, at: now) }
        if let stagedOutput { planner.memory.use(stagedOutput, at: now) }
        if let backward = descriptions.backwardWeights {
            let gradient = planner.memory.buffer(byteCount: backward.memory(dnnl_query_diff_weights_md).byteCount)
            planner.memory.use(gradient, at: now)
            weightGradient = gradient
        }
        if let backward = descriptions.backwardData, let dx {
            let layout = backward.memory(dnnl_query_weights_md)
            backwardWeights =
                layout == forwardLayout
                ? forwardWeights : planner.memory.persistentBuffer(byteCount: layout.byteCount)
            planner.memory.use(dx.map.buffer, at: now)
            if descriptions.dilatesGradient {
                let dilated = planner.memory.buffer(byteCount: backward.memory(dnnl_query_diff_dst_md).byteCount)
                planner.memory.use(dilated, at: now)
                dilatedGradient = dilated
            }
            if dx.accumulates {
                let temporary = planner.memory.buffer(byteCount: x.geometry.scalarCount * precision.bytes)
                planner.memory.use(temporary, at: now)
                inputGradient = temporary
            }
        }
    }

    /// The names of the implementations that oneDNN chose, for benchmarks and bug reports.
    var implementations: [String] {
        [descriptions.forward, descriptions.backwardData, descriptions.backwardWeights].compactMap {
            $0?.implementation
        }
    }

    func bind(to memory: PlannedMemory) throws(NeuralNetworkError) {
        self.memory = memory
        let forward = descriptions.forward
        let packed = try MemoryView(
            forward.memory(dnnl_query_weights_md), at: memory.pointer(to: forwardWeights), on: compute)

        let input = stagedInput.map { memory.pointer(to: $0) } ?? x.physicalPointer(in: memory)
        let output = stagedOutput.map { memory.pointer(to: $0) } ?? y.physicalPointer(in: memory)
        var arguments: [(Int32, MemoryView)] = [
            (DNNL_ARG_SRC, try MemoryView(forward.memory(dnnl_query_src_md), at: input, on: compute)),
            (DNNL_ARG_WEIGHTS, packed),
            (DNNL_ARG_DST, try MemoryView(forward.memory(dnnl_query_dst_md), at: output, on: compute)),
            (DNNL_ARG_SCRATCHPAD, try scratchView(forward, scratch)),
        ]
        if let bias = layer.bias {
            let layout = try MemoryDescription(
                dimensions: [descriptions.geometry.outChannels], type: dnnl_f32, tag: dnnl_x)
            let values = summedBias.map { memory.floats($0) } ?? parameters.values(bias)
            arguments.append((DNNL_ARG_BIAS, try MemoryView(layout, at: values, on: compute)))
        }
        if let residual {
            let addend = stagedResidual.map { memory.pointer(to: $0) } ?? residual.physicalPointer(in: memory)
            let type = precision.isNative ? precision.dataType : dnnl_f32
            let layout = forward.memory(dnnl_query_dst_md).with(type: type)
            arguments.append((PrimitiveDescription.addend, try MemoryView(layout, at: addend, on: compute)))
        }
        forwardPass = try Primitive(forward, name: name, arguments: arguments)
        guard parameters.keeps(layer.weight) else { return }
        let master = roundedWeights.map { memory.pointer(to: $0) } ?? UnsafeMutableRawPointer(weights)
        packing = [try reorder(plainLayout(), master, to: forward.memory(dnnl_query_weights_md), packed, scratch)]
        try bindBackward(plain: plainLayout(), master: master, input: input, memory: memory)
    }

    private func bindBackward(
        plain: MemoryDescription, master: UnsafeMutableRawPointer, input: UnsafeMutableRawPointer,
        memory: PlannedMemory
    ) throws(NeuralNetworkError) {
        guard let dy, let backwardScratch else { return }
        let outputGradient = stagedOutput.map { memory.pointer(to: $0) } ?? dy.physicalPointer(in: memory)
        if let backward = descriptions.backwardData, let backwardWeights, let dx {
            let layout = backward.memory(dnnl_query_weights_md)
            let packed = try MemoryView(layout, at: memory.pointer(to: backwardWeights), on: compute)
            if backwardWeights != forwardWeights {
                packing.append(try reorder(plain, master, to: layout, packed, scratch))
            }
            let target =
                stagedInput.map { memory.pointer(to: $0) } ?? inputGradient.map { memory.pointer(to: $0) }
                ?? dx.map.physicalPointer(in: memory)
            backwardDataPass = try Primitive(
                backward, name: name,
                arguments: [
                    (
                        DNNL_ARG_DIFF_DST,
                        try MemoryView(
                            backward.memory(dnnl_query_diff_dst_md),
                            at: dilatedGradient.map { memory.pointer(to: $0) } ?? outputGradient, on: compute)
                    ),
                    (DNNL_ARG_WEIGHTS, packed),
                    (
                        DNNL_ARG_DIFF_SRC,
                        try MemoryView(backward.memory(dnnl_query_diff_src_md), at: target, on: compute)
                    ),
                    (DNNL_ARG_SCRATCHPAD, try scratchView(backward, backwardScratch)),
                ])
        }
        if let backward = descriptions.backwardWeights, let weightGradient {
            let layout = backward.memory(dnnl_query_diff_weights_md)
            let gradient = try MemoryView(layout, at: memory.pointer(to: weightGradient), on: compute)
            var arguments: [(Int32, MemoryView)] = [
                (DNNL_ARG_SRC, try MemoryView(backward.memory(dnnl_query_src_md), at: input, on: compute)),
                (
                    DNNL_ARG_DIFF_DST,
                    try MemoryView(backward.memory(dnnl_query_diff_dst_md), at: outputGradient, on: compute)
                ),
                (DNNL_ARG_DIFF_WEIGHTS, gradient),
                (DNNL_ARG_SCRATCHPAD, try scratchView(backward, backwardScratch)),
            ]
            if let bias = layer.bias {
                let layout = try MemoryDescription(
                    dimensions: [descriptions.geometry.outChannels], type: dnnl_f32, tag: dnnl_x)
                arguments.append(
                    (DNNL_ARG_DIFF_BIAS, try MemoryView(layout, at: parameters.gradient(bias), on: compute)))
            }
            backwardWeightsPass = try Primitive(backward, name: name, arguments: arguments)
            let target = try MemoryView(plain, at: parameters.gradient(layer.weight), on: compute)
            unpackGradient = try reorder(layout, gradient, to: plain, target, backwardScratch)
        }
    }

    private func plainLayout() throws(NeuralNetworkError) -> MemoryDescription {
        try descriptions.geometry.plainWeights()
    }

    var weightParameter: Int { layer.weight }

    func pack(_ plain: UnsafePointer<Float>) throws(NeuralNetworkError) {
        guard let memory else { preconditionFailure("weights are packed before the operation is bound") }
        let layout = descriptions.forward.memory(dnnl_query_weights_md)
        let packed = try MemoryView(layout, at: memory.pointer(to: forwardWeights), on: compute)
        guard isEmulated else {
            // oneDNN takes sources as mutable too, and only reads them.
            try reorder(plainLayout(), UnsafeMutablePointer(mutating: plain), to: layout, packed, scratch).run(
                on: compute)
            return
        }
        let count = descriptions.geometry.weightShape.reduce(1, *)
        let rounded = UnsafeMutablePointer<Float>.allocate(capacity: count)
        defer { rounded.deallocate() }
        dkp_round_to_bf16(plain, rounded, count)
        try reorder(plainLayout(), rounded, to: layout, packed, scratch).run(on: compute)
    }

    func forward(training: Bool) throws(NeuralNetworkError) {
        if weightsAreStale {
            if let roundedWeights, let memory {
                let count = descriptions.geometry.weightShape.reduce(1, *)
                dkp_round_to_bf16(weights, memory.floats(roundedWeights), count)
            }
            for primitive in packing { try primitive.run(on: compute) }
            weightsAreStale = false
        }
        stageInput()
        sumBias()
        try forwardPass?.run(on: compute)
        if let stagedOutput, let memory {
            let target = y.physicalPointer(in: memory)
            if y.precision == .bf16 {
                dkp_convert_to_bf16(
                    memory.floats(stagedOutput), target.assumingMemoryBound(to: UInt16.self), y.geometry.scalarCount)
            } else {
                target.copyMemory(from: memory.pointer(to: stagedOutput), byteCount: y.geometry.scalarCount * 4)
            }
        }
    }

    func backward() throws(NeuralNetworkError) {
        stageInput()
        if let stagedOutput, let memory, let dy {
            dkp_convert_to_f32(
                dy.physicalPointer(in: memory).assumingMemoryBound(to: UInt16.self), memory.floats(stagedOutput),
                dy.geometry.scalarCount)
        }
        try backwardWeightsPass?.run(on: compute)
        try unpackGradient?.run(on: compute)
        guard let dx, let memory else { return }
        dilateGradient()
        try backwardDataPass?.run(on: compute)
        let count = x.geometry.scalarCount
        let target = dx.map.physicalPointer(in: memory)
        let temporary = inputGradient.map { memory.pointer(to: $0) }
        if let stagedInput {
            dkp_convert_to_bf16(
                memory.floats(stagedInput), (temporary ?? target).assumingMemoryBound(to: UInt16.self), count)
        }
        if let temporary { dkp_accumulate(target, temporary, count, precision.scalar) }
    }

    private var name: String { parameters.descriptions[layer.weight].name }
    private var weights: UnsafeMutablePointer<Float> { parameters.values(layer.weight) }

    private func sumBias() {
        guard let summedBias, let biasVector, let bias = layer.bias, let memory else { return }
        let sums = memory.floats(summedBias)
        let values = parameters.values(bias)
        let addends = memory.floats(biasVector.buffer)
        for channel in 0..<descriptions.geometry.outChannels { sums[channel] = values[channel] + addends[channel] }
    }

    private func stageInput() {
        guard let memory else { return }
        if let stagedResidual, let residual {
            dkp_convert_to_f32(
                residual.physicalPointer(in: memory).assumingMemoryBound(to: UInt16.self),
                memory.floats(stagedResidual), residual.geometry.scalarCount)
        }
        guard let stagedInput else { return }
        dkp_convert_to_f32(
            x.physicalPointer(in: memory).assumingMemoryBound(to: UInt16.self), memory.floats(stagedInput),
            x.geometry.scalarCount)
    }

    /// Puts zeros between the pixels of the output's gradient; see ``ConvolutionDescriptions/dilatesGradient``.
    private func dilateGradient() {
        guard let dilatedGradient, let memory, let dy else { return }
        var gradient = dy.view(in: memory)
        if let stagedOutput {
            gradient.data = memory.pointer(to: stagedOutput)
            gradient.scalar = DKP_F32
        }
        let geometry = descriptions.geometry
        let (rows, columns) = (geometry.rowPadding, geometry.columnPadding)
        let height = geometry.inHeight - geometry.kernelSize + 1 + rows.before + rows.behind
        let width = geometry.inWidth - geometry.kernelSize + 1 + columns.before + columns.behind
        var dilated = MapPlan(
            geometry: MapGeometry(
                segments: dy.geometry.segments, height: height, width: width, halo: 0, block: dy.geometry.block,
                layout: dy.geometry.layout),
            precision: stagedOutput == nil ? dy.precision : .f32, buffer: dilatedGradient
        ).view(in: memory)
        dkp_dilate(&gradient, Int32(geometry.stride), &dilated)
    }

    private func scratchView(
        _ description: PrimitiveDescription, _ scratch: MemoryPlan.Buffer
    ) throws(NeuralNetworkError) -> MemoryView {
        guard let memory else { preconditionFailure("an operation runs before it is bound") }
        return try MemoryView(
            description.memory(dnnl_query_scratchpad_md), at: memory.pointer(to: scratch), on: compute)
    }

    private func reorder(
        _ from: MemoryDescription, _ source: UnsafeMutableRawPointer, to layout: MemoryDescription,
        _ target: MemoryView, _ scratch: MemoryPlan.Buffer
    ) throws(NeuralNetworkError) -> Primitive {
        try reorder(from, try MemoryView(from, at: source, on: compute), to: layout, target, scratch)
    }

    private func reorder(
        _ from: MemoryDescription, _ source: MemoryView, to layout: MemoryDescription, _ target: MemoryView,
        _ scratch: MemoryPlan.Buffer
    ) throws(NeuralNetworkError) -> Primitive {
        let description = try PrimitiveDescription.reorder(from, to: layout, name: name, on: compute)
        var arguments = [(DNNL_ARG_FROM, source), (DNNL_ARG_TO, target)]
        if description.scratchByteCount > 0 {
            arguments.append((DNNL_ARG_SCRATCHPAD, try scratchView(description, scratch)))
        }
        return try Primitive(description, name: "reorder of \(name)", arguments: arguments)
    }
}

extension NetworkGraph.Convolution {
    /// The halo that the input map must carry; nil if any will do.
    var requiredHalo: Int? {
        if case .reflection(let amount) = padding, amount > 0 { return amount }
        return kernelSize == 1 && stride == 1 && padding.total == 0 ? nil : 0
    }

    var zeroPadding: (before: Int, behind: Int) {
        switch padding {
        case .zero(let amount): (amount, amount)
        case .zeroBehind(let amount): (0, amount)
        case .reflection: (0, 0)
        }
    }
}
