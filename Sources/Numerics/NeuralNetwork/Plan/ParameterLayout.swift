/// How the elements of a parameter lie in memory when its channels are padded to whole blocks.
struct ParameterLayout {
    /// `[out, in, height, width]` for weights, `[channels]` otherwise.
    let physicalShape: [Int]
    private let logicalShape: [Int]
    private let channels: ChannelLayout

    init(_ description: ParameterDescription, block: Int) {
        let shape = description.shape
        guard description.isWeight else {
            channels = ChannelLayout(
                segments: description.inputSegments.isEmpty ? shape : description.inputSegments, block: block)
            logicalShape = shape
            physicalShape = [channels.physicalCount]
            return
        }
        channels = ChannelLayout(segments: description.inputSegments, block: block)
        logicalShape = shape + [Int](repeating: 1, count: max(4 - shape.count, 0))
        let out = ChannelLayout(segments: [shape[0]], block: block)
        physicalShape = [out.physicalCount, channels.physicalCount] + logicalShape[2...]
    }

    var physicalCount: Int { physicalShape.reduce(1, *) }

    /// Whether there is no padding, so that elements lie as in a tensor.
    var isPlain: Bool { physicalShape == logicalShape }

    /// The physical place of each logical element.
    var elementOffsets: [Int32] {
        let indices = channels.physicalIndices
        guard logicalShape.count > 1 else { return indices.map(Int32.init) }
        let area = logicalShape[2] * logicalShape[3]
        var offsets: [Int32] = []
        offsets.reserveCapacity(logicalShape.reduce(1, *))
        for outChannel in 0..<logicalShape[0] {
            for inChannel in indices {
                let start = (outChannel * channels.physicalCount + inChannel) * area
                offsets += (start..<start + area).map(Int32.init)
            }
        }
        return offsets
    }
}
