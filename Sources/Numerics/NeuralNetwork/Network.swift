import CNeuralKernels
public import Tensors

/// A network planned for one image size: memory laid out once, then run forwards and backwards thousands of times
/// without allocating.
///
/// Not thread-safe: one thread at a time may use it. It uses the process's OpenMP team for its loops.
public final class Network {
    private let compute: ComputeStream
    private let parameters: ParameterStore
    private let forwardPasses: [any ForwardPass]
    /// In the order in which they run: from the last layer to the first.
    private let backwardPasses: [any BackwardPass]
    private let memory: PlannedMemory
    private var input: dkp_feature_map
    private var output: dkp_feature_map
    private var outputGradient: dkp_feature_map?
    private let inputChannels: Int
    private let outputActivation: Activation
    private let training: Bool
    private let block: Int
    private var vectors: [String: (values: UnsafeMutablePointer<Float>, count: Int)] = [:]
    private var packedWeights: [Int: any PackedWeights] = [:]
    /// The network's latest result, `[channels, height, width]`.
    public private(set) var result: Tensor<Float>
    private var resultGradient: Tensor<Float>
    /// The precision of feature maps.
    public let precision: Precision

    /// Plans `graph`.
    ///
    /// - Parameters:
    ///   - output: the node whose map leaves the network, as planar f32.
    ///   - outputActivation: a last nonlinearity, taken in f32: identity or sigmoid.
    ///   - training: whether there will be backward passes; without, memory is reused much more.
    ///   - keepsWeights: whether weights are kept in f32 too, beside their packed form. Without, they can be set but not
    ///     read, and take no more memory than the precision asks for. Ignored in training, which needs them.
    /// - Throws: ``NeuralNetworkError`` where layers do not fit, oneDNN refuses one, or memory is short.
    public init(
        _ graph: NetworkGraph, output: NetworkGraph.Node, outputActivation: Activation = .identity,
        precision: Precision = .fastest, training: Bool, keepsWeights: Bool = true
    ) throws(NeuralNetworkError) {
        guard outputActivation == .identity || outputActivation == .sigmoid else {
            throw .shape("the output's activation is identity or sigmoid, not \(outputActivation)")
        }
        guard let inputIndex = graph.entries.firstIndex(where: { if case .input = $0.layer { true } else { false } })
        else { throw .shape("a network needs an input") }
        let compute = try ComputeStream()
        let block = Processor.channelBlock
        guard graph.entries[output.index].segments.dropLast().allSatisfy({ $0 % block == 0 }) else {
            throw .shape("the output is a concatenation of maps that are no whole channel blocks: convolve it")
        }
        let parameters = try ParameterStore(
            graph.parameters, block: block, training: training, keepsWeights: keepsWeights || training)
        let planner = try Planner(
            graph, output: output, precision: precision, training: training, parameters: parameters, block: block,
            compute: compute)
        let memory = try PlannedMemory(planner.memory)
        var operations: [BoundOperation] = []
        for operation in planner.operations { operations.append(try operation.bind(to: memory)) }
        self.compute = compute
        self.parameters = parameters
        self.memory = memory
        self.precision = precision
        self.training = training
        self.block = block
        self.outputActivation = outputActivation
        forwardPasses = operations.map(\.forward)
        backwardPasses = operations.reversed().compactMap(\.backward)
        input = planner.maps[inputIndex].view(in: memory)
        self.output = planner.maps[output.index].view(in: memory)
        outputGradient = planner.gradients[output.index]?.view(in: memory)
        inputChannels = graph.entries[inputIndex].channels
        let shape = graph.shape(of: output)
        result = Tensor(shape: [shape.channels, shape.height, shape.width])
        resultGradient = training ? result : Tensor(shape: [0])
        for (index, entry) in graph.entries.enumerated() {
            guard case .vector(let name) = entry.layer else { continue }
            vectors[name] = (memory.floats(planner.maps[index].buffer), entry.channels)
        }
        for weights in operations.compactMap(\.weights) { packedWeights[weights.parameter] = weights }
        for name in operations.flatMap(\.implementations) { convolutionImplementations[name, default: 0] += 1 }
    }

    // MARK: Running

    /// Sets the input image, `[channels, height, width]`; it stays for all later passes.
    public func setInput(_ image: Tensor<Float>) throws(NeuralNetworkError) {
        let expected = [inputChannels, Int(input.height), Int(input.width)]
        guard image.shape == expected else {
            throw .shape("the network's input has shape \(expected), not \(image.shape)")
        }
        image.withUnsafeBufferPointer { elements in
            guard let base = elements.baseAddress else { return }
            dkp_pack(base, Int32(inputChannels), &input, 0)
        }
        dkp_fill_halo(&input)
    }

    /// Sets a vector that the graph names, see ``NetworkGraph/vector(name:count:)``; it stays for all later passes.
    public func setVector(_ name: String, to values: [Float]) throws(NeuralNetworkError) {
        guard let vector = vectors[name] else { throw .shape("the network has no vector called \(name)") }
        guard values.count == vector.count else {
            throw .shape("the vector \(name) has \(vector.count) numbers, not \(values.count)")
        }
        for (index, value) in values.enumerated() { vector.values[index] = value }
    }

    /// Runs the network on its input; ``result`` holds the outcome.
    /// - Parameter useRunningStatistics: batch norms use their running statistics instead of the batch's.
    public func forward(useRunningStatistics: Bool = false) throws(NeuralNetworkError) {
        for pass in forwardPasses { try pass.run(training: !useRunningStatistics) }
        let kind = outputActivation.kernel.kind
        let channels = Int32(result.shape[0])
        result.withUnsafeMutableBufferPointer { elements in
            guard let base = elements.baseAddress else { return }
            dkp_unpack(&output, 0, channels, base)
            dkp_array_activation(base, base, elements.count, kind)
        }
    }

    /// Runs the backward passes: fills the gradients of all parameters, given the loss's gradient with respect to
    /// ``result``, of the same shape.
    public func backward(_ gradient: Tensor<Float>) throws(NeuralNetworkError) {
        guard training, var outputGradient else { throw .shape("the network was planned without backward passes") }
        guard gradient.shape == result.shape else {
            throw .shape("the output's gradient has shape \(result.shape), not \(gradient.shape)")
        }
        let kind = outputActivation.kernel.kind
        let channels = Int32(result.shape[0])
        resultGradient.withUnsafeMutableBufferPointer { target in
            guard let target = target.baseAddress else { return }
            result.withUnsafeBufferPointer { result in
                gradient.withUnsafeBufferPointer { gradient in
                    guard let result = result.baseAddress, let source = gradient.baseAddress else { return }
                    dkp_array_activation_backward(result, source, target, gradient.count, kind)
                }
            }
            dkp_pack(target, channels, &outputGradient, 0)
        }
        for pass in backwardPasses { try pass.run() }
    }

    /// One step of Adam (betas 0.9 and 0.999, epsilon 1e-8) on all trainable parameters.
    public func adamStep(learningRate: Double) {
        parameters.adamStep(learningRate: learningRate)
        markParametersChanged()
    }

    private func markParametersChanged() {
        for weights in packedWeights.values { weights.areStale = true }
    }

    // MARK: Parameters and optimiser state

    /// What can be read and written of each parameter.
    public enum ParameterColumn: Sendable, CaseIterable {
        case values
        case gradients
        case firstMoments
        case secondMoments

        fileprivate var stored: ParameterStore.Column {
            switch self {
            case .values: .values
            case .gradients: .gradients
            case .firstMoments: .firstMoments
            case .secondMoments: .secondMoments
            }
        }
    }

    /// The parameters' names and shapes.
    public var parameterDescriptions: [ParameterDescription] { parameters.descriptions }

    /// The number of trainable parameters.
    public var trainableParameterCount: Int {
        parameters.descriptions.filter(\.isTrainable).reduce(0) { $0 + $1.count }
    }

    /// The number of Adam steps taken so far.
    public var stepCount: Int64 {
        get { parameters.stepCount }
        set { parameters.stepCount = newValue }
    }

    /// One parameter, in its logical shape.
    public func parameter(
        _ name: String, _ column: ParameterColumn = .values
    ) throws(NeuralNetworkError) -> Tensor<Float> {
        let index = try index(of: name, column)
        guard parameters.keeps(index) else {
            throw .parameter("\(name) is kept in packed form only: this network was planned without keeping weights")
        }
        return parameters.tensor(column.stored, index)
    }

    /// Replaces one parameter. Values are given in the logical shape.
    public func setParameter(
        _ name: String, _ column: ParameterColumn = .values, to value: Tensor<Float>
    ) throws(NeuralNetworkError) {
        let index = try index(of: name, column)
        let expected = parameters.descriptions[index].shape
        guard value.shape == expected else {
            throw .parameter("\(name) has shape \(expected), not \(value.shape)")
        }
        try set(column.stored, index, to: value)
        markParametersChanged()
    }

    private func set(
        _ column: ParameterStore.Column, _ index: Int, to value: Tensor<Float>
    ) throws(NeuralNetworkError) {
        guard !parameters.keeps(index), let packed = packedWeights[index] else {
            parameters.set(column, index, to: value)
            return
        }
        let layout = ParameterLayout(parameters.descriptions[index], block: block)
        if layout.isPlain {
            try value.withUnsafeBufferPointer { elements throws(NeuralNetworkError) in
                if let base = elements.baseAddress { try packed.pack(base) }
            }
            return
        }
        let staging = UnsafeMutablePointer<Float>.allocate(capacity: layout.physicalCount)
        defer { staging.deallocate() }
        staging.update(repeating: 0, count: layout.physicalCount)
        value.withUnsafeBufferPointer { elements in
            for (element, offset) in zip(elements, layout.elementOffsets) { staging[Int(offset)] = element }
        }
        try packed.pack(staging)
    }

    /// Fills every parameter as its layer asks, from one random stream per parameter: adding a layer changes no other.
    /// The network must keep its weights.
    public func initializeParameters(seed: UInt64) {
        precondition(parameters.keepsWeights, "a network that keeps no weights is filled by setParameter")
        for (index, description) in parameters.descriptions.enumerated() {
            switch description.initialization {
            case .constant(let value):
                parameters.set(.values, index, to: Tensor(shape: description.shape, repeating: value))
            case .uniform(let bound):
                var stream = RandomStream(seed: seed, name: "parameters/\(description.name)")
                let bound = Double(bound)
                let values = (0..<description.count).map { _ in Float(stream.uniform(in: -bound...bound)) }
                parameters.set(.values, index, to: Tensor(shape: description.shape, values))
            }
        }
        markParametersChanged()
    }

    /// All trainable parameters, or all others, one after another in the order of ``parameterDescriptions``.
    public func flattened(_ column: ParameterColumn, trainable: Bool) -> [Float] {
        parameters.flattened(column.stored, trainable: trainable)
    }

    /// The inverse of ``flattened(_:trainable:)``.
    public func setFlattened(
        _ column: ParameterColumn, trainable: Bool, to values: [Float]
    ) throws(NeuralNetworkError) {
        let count = parameters.descriptions.filter { $0.isTrainable == trainable }.reduce(0) { $0 + $1.count }
        guard values.count == count else {
            throw .parameter("the network has \(count) parameters of this kind, not \(values.count)")
        }
        parameters.setFlattened(column.stored, trainable: trainable, to: values)
        markParametersChanged()
    }

    private func index(of name: String, _ column: ParameterColumn) throws(NeuralNetworkError) -> Int {
        guard let index = parameters.descriptions.firstIndex(where: { $0.name == name }) else {
            throw .parameter("the network has no parameter called \(name)")
        }
        guard column == .values || training && parameters.descriptions[index].isTrainable else {
            throw .parameter("\(name) has no \(column): it is not trained")
        }
        return index
    }

    // MARK: Facts for benchmarks

    /// The bytes of feature maps, gradients and packed weights.
    public var arenaByteCount: Int { memory.arena.byteCount }

    /// The convolution implementations that oneDNN chose, with how often each was.
    public private(set) var convolutionImplementations: [String: Int] = [:]
}
