/// How the maps of a graph lie in memory, before there is any: halos, maps inside concatenations, and upsamplings that
/// the convolution after them does on the way.
package struct MapDecisions {
    /// A place inside a concatenation.
    package struct Placement: Equatable, Sendable {
        package var concatenation: Int
        package var firstBlock: Int

        package init(concatenation: Int, firstBlock: Int) {
            self.concatenation = concatenation
            self.firstBlock = firstBlock
        }
    }

    /// What a convolution of an upsampled map is computed from instead.
    package struct FusedUpsampling: Equatable, Sendable {
        /// The map that would be upsampled.
        package var source: Int
        var bias: Int
    }

    private let graph: NetworkGraph
    private let block: Int
    private let layout: MapLayout
    /// Per node, how many times its map is read.
    package private(set) var consumers: [Int]
    /// Per node, the pixels around its map.
    package private(set) var halos: [Int]
    /// Per node that is written straight into its place in a concatenation, that place.
    package private(set) var placements: [Int: Placement] = [:]
    /// By convolution.
    package private(set) var fusedUpsamplings: [Int: FusedUpsampling] = [:]
    /// The upsampled maps that never exist, as the convolutions that read them are fused with the upsampling.
    private var skippedUpsamplings: Set<Int> = []

    /// - Parameters:
    ///   - block: the channels of a block.
    ///   - fusesUpsampling: whether convolutions may be computed from the map that is upsampled for them.
    package init(
        _ graph: NetworkGraph, layout: MapLayout, block: Int, training: Bool, fusesUpsampling: Bool
    ) {
        self.graph = graph
        self.block = block
        self.layout = layout
        consumers = [Int](repeating: 0, count: graph.entries.count)
        halos = consumers
        for entry in graph.entries {
            for input in entry.inputs { consumers[input] += 1 }
        }
        chooseHalos()
        choosePlacements(convolutionsMayShare: !training && layout == .blocked)
        if fusesUpsampling { chooseFusedUpsamplings() }
    }

    /// The size of a node's map in memory.
    package func geometry(of index: Int) -> MapGeometry {
        let entry = graph.entries[index]
        return MapGeometry(
            segments: entry.segments, height: entry.height, width: entry.width, halo: halos[index], block: block,
            layout: layout)
    }

    /// Whether a node is an upsampling that nothing needs.
    func isSkipped(_ index: Int) -> Bool { skippedUpsamplings.contains(index) }

    /// A map is produced with the halo that its convolutions read, where its producer can write one.
    private mutating func chooseHalos() {
        for entry in graph.entries {
            guard case .convolution(let layer) = entry.layer, let halo = layer.requiredHalo else { continue }
            let input = entry.inputs[0]
            if graph.entries[input].layer.writesThroughViews { halos[input] = max(halos[input], halo) }
        }
        for (index, entry) in graph.entries.enumerated() {
            // A 1 x 1 convolution runs over its input's halo, unless its result is wanted without.
            if case .convolution(let layer) = entry.layer, layer.requiredHalo == nil {
                halos[index] = halos[entry.inputs[0]]
            }
            if case .linearAttention = entry.layer {
                for input in entry.inputs { halos[input] = 0 }
            }
        }
    }

    /// A map that is concatenated is written straight into its place: where gradients are wanted only if nothing else
    /// reads it, and if its producer writes through views. In the blocked layout some channel blocks of one image are
    /// dense, so in inference convolutions write there too, and read. What is given from outside keeps its own place.
    private mutating func choosePlacements(convolutionsMayShare: Bool) {
        for (index, entry) in graph.entries.enumerated() {
            guard case .concatenation = entry.layer else { continue }
            var firstBlock = 0
            for input in entry.inputs {
                let layer = graph.entries[input].layer
                let fits =
                    convolutionsMayShare
                    ? layer.writesIntoConcatenations : layer.writesThroughViews && consumers[input] == 1
                if fits, !layer.isGiven, halos[input] == 0, halos[index] == 0, placements[input] == nil {
                    placements[input] = Placement(concatenation: index, firstBlock: firstBlock)
                }
                firstBlock += geometry(of: input).blocks
            }
        }
    }

    private mutating func chooseFusedUpsamplings() {
        for (index, entry) in graph.entries.enumerated() {
            guard case .convolution(let layer) = entry.layer, layer.kernelSize == 3, layer.stride == 1,
                layer.padding == .zero(1), let bias = layer.bias, !layer.hasResidual, consumers[entry.inputs[0]] == 1
            else { continue }
            let input = graph.entries[entry.inputs[0]]
            guard case .upsample(.nearest, rowOffset: 0, columnOffset: 0) = input.layer else { continue }
            let source = input.inputs[0]
            let small = graph.entries[source]
            if input.height == 2 * small.height, input.width == 2 * small.width, halos[source] == 0 {
                fusedUpsamplings[index] = FusedUpsampling(source: source, bias: bias)
                skippedUpsamplings.insert(entry.inputs[0])
            }
        }
    }
}
