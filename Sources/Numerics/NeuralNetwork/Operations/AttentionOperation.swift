import CNeuralKernels
import CParallel

/// Scaled dot-product attention, see ``NetworkGraph/attention(_:heads:order:)``. Inference only.
struct PlannedAttention: PlannedOperation {
    private let x: MapPlan
    private let y: MapPlan
    private let places: AttentionPlaces
    private let scratch: MemoryPlan.Buffer

    init(_ layer: NetworkGraph.Attention, x: MapPlan, y: MapPlan, planner: inout Planner, operation: Int) {
        self.x = x
        self.y = y
        places = AttentionPlaces(layer, x: x.geometry, y: y.geometry)
        var layout = places.layout
        scratch = planner.memory.buffer(
            byteCount: dkp_attention_scratch_bytes(
                &layout, Int32(x.geometry.height), Int32(x.geometry.width), x.precision.scalar))
        planner.memory.use([x.buffer, y.buffer, scratch], at: .forward(operation))
    }

    func bind(to memory: PlannedMemory) -> BoundOperation {
        BoundOperation(
            forward: AttentionPass(
                x: x.view(in: memory), y: y.view(in: memory), places: places, scratch: memory.pointer(to: scratch)))
    }
}

/// The physical channels of queries, keys, values and results, each head by head.
private struct AttentionPlaces {
    private let table: Int32Table
    let layout: dkp_attention_layout
    /// Whether some channels of the result are padding.
    let hasPadding: Bool

    init(_ layer: NetworkGraph.Attention, x: MapGeometry, y: MapGeometry) {
        let inner = ChannelLayout(segments: x.segments, block: x.block).physicalIndices
        let outer = ChannelLayout(segments: y.segments, block: y.block).physicalIndices
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
        table = Int32Table(parts.flatMap { $0 } + outer)
        layout = dkp_attention_layout(
            heads: Int32(layer.heads), head_channels: Int32(width), query: table.elements,
            key: table.elements + channels, value: table.elements + 2 * channels,
            result: table.elements + 3 * channels, factor: 1 / Float(width).squareRoot(),
            workers: dkp_thread_count())
        hasPadding = channels % y.block != 0
    }
}

private final class AttentionPass: ForwardPass {
    private var x: dkp_feature_map
    private var y: dkp_feature_map
    private let places: AttentionPlaces
    private let scratch: UnsafeMutableRawPointer

    init(x: dkp_feature_map, y: dkp_feature_map, places: AttentionPlaces, scratch: UnsafeMutableRawPointer) {
        self.x = x
        self.y = y
        self.places = places
        self.scratch = scratch
    }

    func run(training: Bool) {
        if places.hasPadding { dkp_zero_map(&y) }
        withUnsafePointer(to: places.layout) { dkp_attention(&x, $0, &y, scratch) }
    }
}
