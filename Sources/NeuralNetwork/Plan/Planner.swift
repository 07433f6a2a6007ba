/// Turns a graph into operations over planned buffers.
struct Planner {
    let graph: NetworkGraph
    let precision: Precision
    let training: Bool
    let compute: ComputeStream
    let block: Int
    let layout: MapLayout
    let parameters: ParameterStore
    var memory = MemoryPlan()

    private(set) var operations: [any Operation] = []
    /// The map of every node.
    private(set) var maps: [MapPlan] = []
    /// The gradient of every node that has one.
    private(set) var gradients: [MapPlan?] = []
    private var halos: [Int] = []
    private var consumers: [Int] = []
    /// Per node, the concatenation that holds it in place, and the first block there.
    private var placements: [Int: (concatenation: Int, firstBlock: Int)] = [:]
    private var remainingWriters: [Int] = []
    /// The twofold repetitions that the only convolution which reads them does on the way.
    private var enlargements: Set<Int> = []

    init(
        _ graph: NetworkGraph, output: NetworkGraph.Node, precision: Precision, training: Bool,
        parameters: ParameterStore, block: Int, compute: ComputeStream
    ) throws(NeuralNetworkError) {
        self.graph = graph
        self.precision = precision
        self.training = training
        self.parameters = parameters
        self.block = block
        self.compute = compute
        layout = Self.layout(of: graph, precision: precision, training: training)
        countConsumers()
        chooseHalos()
        choosePlacements()
        if !training && precision.isNative { chooseEnlargements() }
        try makeMaps(output: output.index)
        for index in graph.entries.indices { try makeOperation(index) }
    }

    private static func layout(of graph: NetworkGraph, precision: Precision, training: Bool) -> MapLayout {
        guard precision == .bf16, Processor.hasMatrixTiles else { return .blocked }
        // oneDNN 2.6 computes wrong gradients of the weights of convolutions with zero padding there.
        let isPadded = graph.entries.contains {
            if case .convolution(let layer) = $0.layer { layer.zeroPadding != (0, 0) } else { false }
        }
        return training && isPadded ? .blocked : .channelsLast
    }

    private mutating func countConsumers() {
        consumers = [Int](repeating: 0, count: graph.entries.count)
        for entry in graph.entries {
            for input in entry.inputs { consumers[input] += 1 }
        }
        remainingWriters = consumers
    }

    /// A map is produced with the halo that its convolutions read, where its producer can write one.
    private mutating func chooseHalos() {
        halos = [Int](repeating: 0, count: graph.entries.count)
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
    private mutating func choosePlacements() {
        let convolutionsMayShare = !training && layout == .blocked
        for (index, entry) in graph.entries.enumerated() {
            guard case .concatenation = entry.layer else { continue }
            var firstBlock = 0
            for input in entry.inputs {
                let layer = graph.entries[input].layer
                let fits =
                    convolutionsMayShare
                    ? layer.writesIntoConcatenations : layer.writesThroughViews && consumers[input] == 1
                if fits, !layer.isGiven, halos[input] == 0, halos[index] == 0, placements[input] == nil {
                    placements[input] = (index, firstBlock)
                }
                firstBlock += geometry(of: input).blocks
            }
        }
    }

    private mutating func chooseEnlargements() {
        for entry in graph.entries {
            guard case .convolution(let layer) = entry.layer, layer.kernelSize == 3, layer.stride == 1,
                layer.padding == .zero(1), layer.bias != nil, !layer.hasResidual, consumers[entry.inputs[0]] == 1
            else { continue }
            let input = graph.entries[entry.inputs[0]]
            guard case .upsample(.nearest, rowOffset: 0, columnOffset: 0) = input.layer else { continue }
            let small = graph.entries[input.inputs[0]]
            if input.height == 2 * small.height, input.width == 2 * small.width, halos[input.inputs[0]] == 0 {
                enlargements.insert(entry.inputs[0])
            }
        }
    }

    private func geometry(of index: Int) -> MapGeometry {
        let entry = graph.entries[index]
        return MapGeometry(
            segments: entry.segments, height: entry.height, width: entry.width, halo: halos[index], block: block,
            layout: layout)
    }

    /// Nodes from the last to the first, so that a concatenation has its buffer before the maps inside it.
    private mutating func makeMaps(output: Int) throws(NeuralNetworkError) {
        var maps = [MapPlan?](repeating: nil, count: graph.entries.count)
        var gradients = [MapPlan?](repeating: nil, count: graph.entries.count)
        for index in graph.entries.indices.reversed() {
            let geometry = geometry(of: index)
            let entry = graph.entries[index]
            // The network's output leaves in f32: the image is not rounded to the precision of the layers.
            var precision = precision
            if index == output, case .convolution = entry.layer { precision = .f32 }
            if entry.isVector { precision = .f32 }
            let byteCount = geometry.scalarCount * precision.bytes
            if let place = placements[index], let whole = maps[place.concatenation] {
                maps[index] = MapPlan(geometry: geometry, inside: whole, firstBlock: place.firstBlock)
            } else if entry.layer.isGiven {
                maps[index] = MapPlan(
                    geometry: geometry, precision: precision, buffer: memory.persistentBuffer(byteCount: byteCount))
            } else {
                maps[index] = MapPlan(
                    geometry: geometry, precision: precision, buffer: memory.buffer(byteCount: byteCount))
            }
            if case .input = entry.layer { continue }
            guard training else { continue }
            if let place = placements[index], let whole = gradients[place.concatenation] {
                gradients[index] = MapPlan(geometry: geometry, inside: whole, firstBlock: place.firstBlock)
            } else {
                gradients[index] = MapPlan(
                    geometry: geometry, precision: self.precision,
                    buffer: memory.buffer(byteCount: geometry.scalarCount * self.precision.bytes))
            }
        }
        self.maps = maps.compactMap { $0 }
        self.gradients = gradients
        memory.use(self.maps[output].buffer, at: .between)
        if let gradient = gradients[output] { memory.use(gradient.buffer, at: .between) }
    }

    /// The target for one of the writers of a node's gradient. Backward passes run in reverse order, so the last writer
    /// planned is the first to run: it stores, the others add.
    private mutating func target(_ input: Int) -> GradientTarget? {
        remainingWriters[input] -= 1
        return gradients[input].map { GradientTarget(map: $0, accumulates: remainingWriters[input] > 0) }
    }

    private mutating func makeOperation(_ index: Int) throws(NeuralNetworkError) {
        let entry = graph.entries[index]
        let y = maps[index]
        let dy = gradients[index]
        let inputs = entry.inputs
        if training, let name = entry.layer.inferenceOnlyName {
            throw .shape("\(name) has no backward pass: plan the network for inference")
        }
        switch entry.layer {
        case .input, .vector: break
        case .convolution(let layer) where enlargements.contains(inputs[0]):
            guard let bias = layer.bias else { preconditionFailure("an enlargement is skipped for a bias") }
            operations.append(
                try EnlargedConvolutionOperation(
                    layer, x: maps[graph.entries[inputs[0]].inputs[0]], y: y,
                    biasVector: layer.hasBiasVector ? maps[inputs[1]] : nil, bias: bias, parameters: parameters,
                    planner: &self, operation: operations.count))
        case .convolution(let layer):
            let (x, dx) = mapWithHalo(layer.requiredHalo ?? y.geometry.halo, of: inputs[0])
            let residual = layer.hasResidual ? maps[inputs[inputs.count - 1]] : nil
            if let residual, residual.geometry.halo != y.geometry.halo {
                throw .shape("a residual of a convolution has the halo of its result")
            }
            operations.append(
                try ConvolutionOperation(
                    layer, x: x, y: y, dy: dy, dx: dx, biasVector: layer.hasBiasVector ? maps[inputs[1]] : nil,
                    residual: residual, parameters: parameters, planner: &self, operation: operations.count))
        case .batchNormalization(let layer):
            guard consumers[inputs[0]] == 1 || gradients[inputs[0]] == nil else {
                throw .shape("a map that is batch-normalized feeds nothing else while training")
            }
            let dx = target(inputs[0])?.map
            let residual = layer.hasResidual ? maps[inputs[1]] : nil
            let residualGradient = layer.hasResidual ? target(inputs[1]) : nil
            operations.append(
                BatchNormalizationOperation(
                    layer, x: maps[inputs[0]], y: y, residual: residual, dy: dy, dx: dx,
                    residualGradient: residualGradient, parameters: parameters, planner: &self,
                    operation: operations.count))
        case .upsample where enlargements.contains(index): break
        case .activation(let activation): addMapOperation(.activation(activation), from: inputs[0], to: y, dy)
        case .upsample(let kind, let row, let column):
            addMapOperation(
                .upsample(kind, rowOffset: Int32(row), columnOffset: Int32(column)), from: inputs[0], to: y, dy)
        case .crop(let row, let column):
            addMapOperation(.window(rowOffset: Int32(row), columnOffset: Int32(column)), from: inputs[0], to: y, dy)
        case .maxPool: addMapOperation(.maxPool, from: inputs[0], to: y, dy)
        case .concatenation: addCopies(into: index)
        case .linearAttention:
            guard y.geometry.halo == 0, inputs.allSatisfy({ halos[$0] == 0 }) else {
                throw .shape("the maps of a linear attention have no halo")
            }
            let targets = inputs.compactMap { target($0) }
            operations.append(
                LinearAttentionOperation(
                    inputs: inputs.map { maps[$0] }, y: y, dy: dy, gradients: targets, planner: &self,
                    operation: operations.count))
        case .averagePool: addMapOperation(.averagePool, from: inputs[0], to: y, dy)
        case .linear(let layer):
            operations.append(
                LinearOperation(
                    layer, x: maps[inputs[0]], y: y, addend: layer.hasAddend ? maps[inputs[1]] : nil,
                    parameters: parameters, planner: &self, operation: operations.count))
        case .groupNormalization(let layer):
            operations.append(
                GroupNormalizationOperation(
                    layer, x: maps[inputs[0]], y: y, modulation: layer.isModulated ? maps[inputs[1]] : nil,
                    parameters: parameters, planner: &self, operation: operations.count))
        case .attention(let layer):
            let (x, _) = mapWithHalo(0, of: inputs[0])
            operations.append(
                AttentionOperation(layer, x: x, y: y, planner: &self, operation: operations.count))
        }
    }

    private mutating func addMapOperation(_ kind: MapOperation.Kind, from input: Int, to y: MapPlan, _ dy: MapPlan?) {
        let dx = target(input)
        operations.append(
            MapOperation(kind, x: maps[input], y: y, dy: dy, dx: dx, planner: &self, operation: operations.count))
    }

    /// Copies into a concatenation the maps that could not be written there in the first place.
    private mutating func addCopies(into concatenation: Int) {
        var firstBlock = 0
        for input in graph.entries[concatenation].inputs {
            let part = geometry(of: input)
            // A map that is joined more than once lies in one of the places only.
            let isThere = placements[input].map { $0 == (concatenation, firstBlock) } ?? false
            if !isThere {
                var inside = part
                inside.halo = 0
                let y = MapPlan(geometry: inside, inside: maps[concatenation], firstBlock: firstBlock)
                let dy = gradients[concatenation].map {
                    MapPlan(geometry: inside, inside: $0, firstBlock: firstBlock)
                }
                addMapOperation(.window(rowOffset: 0, columnOffset: 0), from: input, to: y, dy)
            }
            firstBlock += part.blocks
        }
    }

    /// The map of a node with the halo that a convolution needs: the map itself, or a copy made for it.
    private mutating func mapWithHalo(_ halo: Int, of input: Int) -> (MapPlan, GradientTarget?) {
        guard halos[input] != halo else { return (maps[input], target(input)) }
        var geometry = geometry(of: input)
        geometry.halo = halo
        let byteCount = geometry.scalarCount * precision.bytes
        let copy = MapPlan(geometry: geometry, precision: precision, buffer: memory.buffer(byteCount: byteCount))
        let gradient =
            gradients[input] == nil
            ? nil : MapPlan(geometry: geometry, precision: precision, buffer: memory.buffer(byteCount: byteCount))
        addMapOperation(.window(rowOffset: 0, columnOffset: 0), from: input, to: copy, gradient)
        return (copy, gradient.map { GradientTarget(map: $0, accumulates: false) })
    }
}

extension NetworkGraph.Layer {
    /// Whether the layer's result is written pixel by pixel through a view, and so may have a halo or lie inside a
    /// larger buffer; oneDNN's convolutions want dense ones.
    var writesThroughViews: Bool {
        switch self {
        case .input, .batchNormalization, .activation, .upsample, .crop, .maxPool, .averagePool, .groupNormalization:
            true
        case .convolution, .concatenation, .linearAttention, .attention, .vector, .linear: false
        }
    }

    /// Whether the layer can write its result, without halo, into channel blocks of a larger buffer.
    var writesIntoConcatenations: Bool {
        switch self {
        case .input, .vector, .concatenation, .linear: false
        default: true
        }
    }

    /// Whether the values come from outside and stay until others are given.
    var isGiven: Bool {
        switch self {
        case .input, .vector: true
        default: false
        }
    }

    /// The name of a layer that cannot be trained.
    var inferenceOnlyName: String? {
        switch self {
        case .vector(let name): "the vector \(name)"
        case .linear: "a linear layer"
        case .groupNormalization: "a group normalization"
        case .averagePool: "an average pooling"
        case .attention: "an attention"
        case .convolution(let layer) where layer.hasResidual || layer.hasBiasVector: "a convolution with a summand"
        default: nil
        }
    }
}
