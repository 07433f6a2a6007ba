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

    private(set) var operations: [any PlannedOperation] = []
    /// The map of every node.
    private(set) var maps: [MapPlan] = []
    /// The gradient of every node that has one.
    private(set) var gradients: [MapPlan?] = []
    private let decisions: MapDecisions
    /// Per node, the operations whose writing of its gradient is not planned yet.
    private var remainingWriters: [Int]

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
        decisions = MapDecisions(
            graph, layout: layout, block: block, training: training,
            fusesUpsampling: !training && precision.isNative)
        remainingWriters = decisions.consumers
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

    /// Nodes from the last to the first, so that a concatenation has its buffer before the maps inside it.
    private mutating func makeMaps(output: Int) throws(NeuralNetworkError) {
        var maps = [MapPlan?](repeating: nil, count: graph.entries.count)
        var gradients = [MapPlan?](repeating: nil, count: graph.entries.count)
        for index in graph.entries.indices.reversed() {
            let geometry = decisions.geometry(of: index)
            let entry = graph.entries[index]
            // The network's output leaves in f32: the image is not rounded to the precision of the layers.
            var precision = precision
            if index == output, case .convolution = entry.layer { precision = .f32 }
            if entry.isVector { precision = .f32 }
            let byteCount = geometry.scalarCount * precision.bytes
            if let place = decisions.placements[index], let whole = maps[place.concatenation] {
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
            if let place = decisions.placements[index], let whole = gradients[place.concatenation] {
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
        case .convolution(let layer):
            if let upsampling = decisions.fusedUpsamplings[index] {
                operations.append(
                    try PlannedUpsampledConvolution(
                        layer, x: maps[upsampling.source], y: y,
                        biasVector: layer.hasBiasVector ? maps[inputs[1]] : nil, bias: upsampling.bias,
                        parameters: parameters, planner: &self, operation: operations.count))
                break
            }
            let (x, dx) = mapWithHalo(layer.requiredHalo ?? y.geometry.halo, of: inputs[0])
            let residual = layer.hasResidual ? maps[inputs[inputs.count - 1]] : nil
            if let residual, residual.geometry.halo != y.geometry.halo {
                throw .shape("a residual of a convolution has the halo of its result")
            }
            operations.append(
                try PlannedConvolution(
                    layer, x: x, y: y, dy: dy, dx: dx, biasVector: layer.hasBiasVector ? maps[inputs[1]] : nil,
                    residual: residual, parameters: parameters, planner: &self, operation: operations.count))
        case .batchNormalization(let layer):
            guard decisions.consumers[inputs[0]] == 1 || gradients[inputs[0]] == nil else {
                throw .shape("a map that is batch-normalized feeds nothing else while training")
            }
            let dx = target(inputs[0])?.map
            let residual = layer.hasResidual ? maps[inputs[1]] : nil
            let residualGradient = layer.hasResidual ? target(inputs[1]) : nil
            operations.append(
                PlannedBatchNormalization(
                    layer, x: maps[inputs[0]], y: y, residual: residual, dy: dy, dx: dx,
                    residualGradient: residualGradient, parameters: parameters, planner: &self,
                    operation: operations.count))
        case .upsample where decisions.isSkipped(index): break
        case .activation(let activation): addMapOperation(.activation(activation), from: inputs[0], to: y, dy)
        case .upsample(let kind, let row, let column):
            addMapOperation(
                .upsample(kind, rowOffset: Int32(row), columnOffset: Int32(column)), from: inputs[0], to: y, dy)
        case .crop(let row, let column):
            addMapOperation(.window(rowOffset: Int32(row), columnOffset: Int32(column)), from: inputs[0], to: y, dy)
        case .maxPool:
            let gradients = MapGradients(dy: dy, dx: target(inputs[0]))
            operations.append(
                PlannedMaxPool(
                    x: maps[inputs[0]], y: y, gradients: gradients, planner: &self, operation: operations.count))
        case .concatenation: addCopies(into: index)
        case .linearAttention:
            guard y.geometry.halo == 0, inputs.allSatisfy({ decisions.halos[$0] == 0 }) else {
                throw .shape("the maps of a linear attention have no halo")
            }
            let targets = PlannedLinearAttention.Inputs(
                theta: target(inputs[0]), phi: target(inputs[1]), g: target(inputs[2]))
            operations.append(
                PlannedLinearAttention(
                    .init(theta: maps[inputs[0]], phi: maps[inputs[1]], g: maps[inputs[2]]), y: y, dy: dy,
                    targets: targets, planner: &self, operation: operations.count))
        case .averagePool:
            operations.append(
                PlannedAveragePool(x: maps[inputs[0]], y: y, planner: &self, operation: operations.count))
        case .linear(let layer):
            operations.append(
                PlannedLinear(
                    layer, x: maps[inputs[0]], y: y, addend: layer.hasAddend ? maps[inputs[1]] : nil,
                    parameters: parameters, planner: &self, operation: operations.count))
        case .groupNormalization(let layer):
            operations.append(
                PlannedGroupNormalization(
                    layer, x: maps[inputs[0]], y: y, modulation: layer.isModulated ? maps[inputs[1]] : nil,
                    parameters: parameters, planner: &self, operation: operations.count))
        case .attention(let layer):
            let (x, _) = mapWithHalo(0, of: inputs[0])
            operations.append(
                PlannedAttention(layer, x: x, y: y, planner: &self, operation: operations.count))
        }
    }

    private mutating func addMapOperation(
        _ kind: PlannedMapOperation.Kind, from input: Int, to y: MapPlan, _ dy: MapPlan?
    ) {
        let gradients = MapGradients(dy: dy, dx: target(input))
        operations.append(
            PlannedMapOperation(
                kind, x: maps[input], y: y, gradients: gradients, planner: &self, operation: operations.count))
    }

    /// Copies into a concatenation the maps that could not be written there in the first place.
    private mutating func addCopies(into concatenation: Int) {
        var firstBlock = 0
        for input in graph.entries[concatenation].inputs {
            let part = decisions.geometry(of: input)
            // A map that is joined more than once lies in one of the places only.
            let isThere = decisions.placements[input] == .init(concatenation: concatenation, firstBlock: firstBlock)
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
        guard decisions.halos[input] != halo else { return (maps[input], target(input)) }
        var geometry = decisions.geometry(of: input)
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
