import CNeuralKernels

/// f32 buffers around a convolution of bf16 maps on a processor that lacks bf16: operands are widened, the convolution
/// runs in f32, and its results are rounded.
struct ConvolutionStaging {
    /// The input, and its gradient.
    let input: MemoryPlan.Buffer
    /// The result, and its gradient.
    let output: MemoryPlan.Buffer
    let residual: MemoryPlan.Buffer?

    init(x: MapPlan, y: MapPlan, residual: MapPlan?, planner: inout Planner, operation: Int) {
        self.residual = residual.map { planner.memory.buffer(byteCount: $0.geometry.scalarCount * 4) }
        input = planner.memory.buffer(byteCount: x.geometry.scalarCount * 4)
        output = planner.memory.buffer(byteCount: y.geometry.scalarCount * 4)
        planner.memory.use([input, output, self.residual].compactMap { $0 }, at: .forward(operation))
    }

    /// A convolution between these buffers, with the conversions from and to its maps.
    func around(
        _ pass: ConvolutionForwardPass, x: MapPlan, y: MapPlan, residual map: MapPlan?, memory: PlannedMemory
    ) -> any ForwardPass {
        var before = [widening(of: x, into: input, memory)]
        if let map, let residual { before.append(widening(of: map, into: residual, memory)) }
        return EmulatedConvolutionForwardPass(
            before: before, pass: pass,
            after: MapConversion(
                from: memory.pointer(to: output), .f32, to: y.physicalPointer(in: memory), y.precision,
                count: y.geometry.scalarCount))
    }

    /// Backward passes between these buffers, with the conversions from their maps.
    func around(
        _ pass: ConvolutionBackwardPass, x: MapPlan, dy: MapPlan, memory: PlannedMemory
    ) -> any BackwardPass {
        EmulatedConvolutionBackwardPass(
            before: [widening(of: x, into: input, memory), widening(of: dy, into: output, memory)], pass: pass)
    }

    private func widening(of map: MapPlan, into buffer: MemoryPlan.Buffer, _ memory: PlannedMemory) -> MapConversion {
        MapConversion(
            from: map.physicalPointer(in: memory), map.precision, to: memory.pointer(to: buffer), .f32,
            count: map.geometry.scalarCount)
    }
}

private final class EmulatedConvolutionForwardPass: ForwardPass {
    private let before: [MapConversion]
    private let pass: ConvolutionForwardPass
    private let after: MapConversion

    init(before: [MapConversion], pass: ConvolutionForwardPass, after: MapConversion) {
        self.before = before
        self.pass = pass
        self.after = after
    }

    func run(training: Bool) throws(NeuralNetworkError) {
        for conversion in before { conversion.run() }
        try pass.run(training: training)
        after.run()
    }
}

private final class EmulatedConvolutionBackwardPass: BackwardPass {
    private let before: [MapConversion]
    private let pass: ConvolutionBackwardPass

    init(before: [MapConversion], pass: ConvolutionBackwardPass) {
        self.before = before
        self.pass = pass
    }

    func run() throws(NeuralNetworkError) {
        for conversion in before { conversion.run() }
        try pass.run()
    }
}

/// The scalars of a dense map in another precision.
struct MapConversion {
    private let source: UnsafeMutableRawPointer
    private let sourcePrecision: Precision
    private let target: UnsafeMutableRawPointer
    private let targetPrecision: Precision
    private let count: Int

    init(
        from source: UnsafeMutableRawPointer, _ sourcePrecision: Precision, to target: UnsafeMutableRawPointer,
        _ targetPrecision: Precision, count: Int
    ) {
        self.source = source
        self.sourcePrecision = sourcePrecision
        self.target = target
        self.targetPrecision = targetPrecision
        self.count = count
    }

    func run() {
        switch (sourcePrecision, targetPrecision) {
        case (.bf16, .f32):
            dkp_convert_to_f32(
                source.assumingMemoryBound(to: UInt16.self), target.assumingMemoryBound(to: Float.self), count)
        case (.f32, .bf16):
            dkp_convert_to_bf16(
                source.assumingMemoryBound(to: Float.self), target.assumingMemoryBound(to: UInt16.self), count)
        case (.f32, .f32), (.bf16, .bf16): target.copyMemory(from: source, byteCount: count * sourcePrecision.bytes)
        }
    }
}
