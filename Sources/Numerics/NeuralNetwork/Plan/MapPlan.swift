import CNeuralKernels

/// The order of a feature map's scalars in memory.
package enum MapLayout: Sendable {
    /// `[channel / block][row][column][channel % block]`: oneDNN's choice for vector registers.
    case blocked
    /// `[row][column][channel]`: oneDNN's choice for matrix tiles (AMX).
    case channelsLast
}

/// The size of a feature map in memory: channel blocks, interior and halo.
package struct MapGeometry: Equatable {
    package var segments: [Int]
    package var height: Int
    package var width: Int
    package var halo: Int
    package var block: Int
    package var layout: MapLayout

    /// Channels including the padding of each segment to whole blocks; the padding channels stay zero.
    package var physicalChannels: Int { ChannelLayout(segments: segments, block: block).physicalCount }
    package var blocks: Int { physicalChannels / block }
    package var physicalHeight: Int { height + 2 * halo }
    package var physicalWidth: Int { width + 2 * halo }
    package var scalarCount: Int { physicalChannels * physicalHeight * physicalWidth }
    /// Doubles that sums over the pixels of each channel need.
    var reductionScratchLength: Int { dkp_reduction_scratch_length(Int32(blocks), Int32(block)) }
}

/// How logical channels lie among physical ones when every segment starts at a block of its own.
struct ChannelLayout {
    var segments: [Int]
    var block: Int

    var physicalCount: Int { segments.reduce(0) { $0 + ($1 + block - 1) / block * block } }

    /// The physical index of each logical channel, in order.
    var physicalIndices: [Int] {
        var result: [Int] = []
        var start = 0
        for segment in segments {
            result += start..<start + segment
            start += (segment + block - 1) / block * block
        }
        return result
    }
}

/// The padding channels of a map whose producer would leave something else than zeros in them: a nonlinearity that does
/// not take 0 to 0. What lies there would give the weights that follow a gradient.
struct ChannelPadding {
    /// The logical channels of each block.
    private let used: Int32Table

    /// - Returns: nil where there is nothing to zero.
    init?(of geometry: MapGeometry, after activation: Activation) {
        guard !activation.keepsZero else { return nil }
        let block = geometry.block
        let counts = geometry.segments.flatMap { channels in
            stride(from: 0, to: channels, by: block).map { min(block, channels - $0) }
        }
        guard counts.contains(where: { $0 < block }) else { return nil }
        used = Int32Table(counts)
    }

    /// Zeroes the padding channels in the interior of the map.
    func clear(_ map: inout dkp_feature_map) { dkp_zero_padding(&map, used.elements) }
}

/// Integers at a fixed address, for the C kernels.
final class Int32Table {
    let elements: UnsafePointer<Int32>
    let count: Int

    init(_ values: [Int]) {
        let memory = UnsafeMutablePointer<Int32>.allocate(capacity: max(values.count, 1))
        for (index, value) in values.enumerated() { (memory + index).initialize(to: Int32(value)) }
        elements = UnsafePointer(memory)
        count = values.count
    }

    deinit { elements.deallocate() }
}

/// A feature map with its place in the plan: a whole buffer, or some channel blocks of one.
struct MapPlan {
    var geometry: MapGeometry
    var precision: Precision
    var buffer: MemoryPlan.Buffer
    var firstBlock = 0
    /// The physical channels of all maps in the buffer together.
    var bufferChannels: Int

    init(geometry: MapGeometry, precision: Precision, buffer: MemoryPlan.Buffer) {
        self.geometry = geometry
        self.precision = precision
        self.buffer = buffer
        bufferChannels = geometry.physicalChannels
    }

    /// A map of its own inside another one.
    init(geometry: MapGeometry, inside whole: MapPlan, firstBlock: Int) {
        self.geometry = geometry
        precision = whole.precision
        buffer = whole.buffer
        self.firstBlock = firstBlock
        bufferChannels = whole.bufferChannels
    }

    private var pixelStride: Int { geometry.layout == .blocked ? geometry.block : bufferChannels }
    private var rowStride: Int { geometry.physicalWidth * pixelStride }
    private var planeStride: Int {
        geometry.layout == .blocked ? geometry.physicalHeight * rowStride : geometry.block
    }

    /// The view of this map in an arena.
    func view(in memory: PlannedMemory) -> dkp_feature_map { view(at: memory.pointer(to: buffer)) }

    /// The view of this map in a buffer that begins at `pointer`.
    func view(at pointer: UnsafeMutableRawPointer) -> dkp_feature_map {
        let origin = firstBlock * planeStride + geometry.halo * (rowStride + pixelStride)
        return dkp_feature_map(
            data: pointer + origin * precision.bytes, plane_stride: planeStride, row_stride: rowStride,
            pixel_stride: pixelStride, blocks: Int32(geometry.blocks), height: Int32(geometry.height),
            width: Int32(geometry.width), halo: Int32(geometry.halo), scalar: precision.scalar,
            block: Int32(geometry.block))
    }

    /// The first scalar of the map's physical planes, which are dense: with channels last, those of a whole buffer.
    func physicalPointer(in memory: PlannedMemory) -> UnsafeMutableRawPointer {
        assert(geometry.layout == .blocked || bufferChannels == geometry.physicalChannels)
        return memory.pointer(to: buffer) + firstBlock * planeStride * precision.bytes
    }
}

/// A placed plan over its arena.
struct PlannedMemory {
    let plan: MemoryPlan
    let arena: Arena

    init(_ plan: MemoryPlan) throws(NeuralNetworkError) {
        var plan = plan
        plan.place()
        self.plan = plan
        arena = try Arena(byteCount: plan.byteCount)
    }

    func pointer(to buffer: MemoryPlan.Buffer) -> UnsafeMutableRawPointer { arena.base + plan.offset(of: buffer) }

    func floats(_ buffer: MemoryPlan.Buffer) -> UnsafeMutablePointer<Float> {
        pointer(to: buffer).assumingMemoryBound(to: Float.self)
    }
}
