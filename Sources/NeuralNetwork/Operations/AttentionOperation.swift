import CNeuralKernels
import CParallel

/// Scaled dot-product attention, see ``NetworkGraph/attention(_:heads:order:)``.
final class AttentionOperation: Operation {
    private let xPlan: MapPlan
    private let yPlan: MapPlan
    private let heads: Int
    /// The physical channels of queries, keys, values and results, each head by head.
    private let places: [Int32]
    private let workers = dkp_thread_count()
    private var scratchBuffer: MemoryPlan.Buffer?

    @Bound private var x: dkp_feature_map
    @Bound private var y: dkp_feature_map
    @Bound private var scratch: UnsafeMutableRawPointer

    private var channels: Int { yPlan.geometry.segments.reduce(0, +) }

    init(_ layer: NetworkGraph.Attention, x: MapPlan, y: MapPlan, planner: inout Planner, operation: Int) {
        xPlan = x
        yPlan = y
        heads = layer.heads
        let inner = ChannelLayout(segments: x.geometry.segments, block: x.geometry.block).physicalIndices
        let outer = ChannelLayout(segments: y.geometry.segments, block: y.geometry.block).physicalIndices
        let channels = outer.count
        let width = channels / layer.heads
        let parts = (0..<3).map { part in
            (0..<channels).map { channel in
                switch layer.order {
                case .queriesFirst: inner[part * channels + channel]
                case .headsFirst: inner[(channel / width * 3 + part) * width + channel % width]
                }
            }
        }
        places = (parts.flatMap { $0 } + outer).map(Int32.init)
        let byteCount = withLayout { layout in
            dkp_attention_scratch_bytes(
                layout, Int32(x.geometry.height), Int32(x.geometry.width), x.precision.scalar)
        }
        let buffer = planner.memory.buffer(byteCount: byteCount)
        scratchBuffer = buffer
        for buffer in [x.buffer, y.buffer, buffer] { planner.memory.use(buffer, at: .forward(operation)) }
    }

    func bind(to memory: PlannedMemory) {
        x = xPlan.view(in: memory)
        y = yPlan.view(in: memory)
        if let scratchBuffer { scratch = memory.pointer(to: scratchBuffer) }
    }

    func forward(training: Bool) {
        if channels % Int(y.block) != 0 { dkp_zero_map(&y) }
        withLayout { dkp_attention(&x, $0, &y, scratch) }
    }

    private func withLayout<Result>(_ body: (UnsafePointer<dkp_attention_layout>) -> Result) -> Result {
        places.withUnsafeBufferPointer { places in
            guard let base = places.baseAddress else { preconditionFailure("an attention has channels") }
            let width = channels / heads
            var layout = dkp_attention_layout(
                heads: Int32(heads), head_channels: Int32(width), query: base, key: base + channels,
                value: base + 2 * channels, result: base + 3 * channels, factor: 1 / Float(width).squareRoot(),
                workers: workers)
            return body(&layout)
        }
    }
}
