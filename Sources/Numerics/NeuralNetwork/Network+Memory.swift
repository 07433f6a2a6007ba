extension Network {
    /// The bytes of feature maps, gradients, packed weights, parameters and optimiser state that a network would take,
    /// from its plan alone: feature maps are not allocated.
    ///
    /// - Parameters: as those of ``init(_:output:outputActivation:precision:training:keepsWeights:)``.
    /// - Throws: ``NeuralNetworkError`` where layers do not fit or oneDNN refuses one.
    public static func plannedByteCount(
        _ graph: NetworkGraph, output: NetworkGraph.Node, precision: Precision = .fastest, training: Bool,
        keepsWeights: Bool = true
    ) throws(NeuralNetworkError) -> Int {
        let block = Processor.channelBlock
        let parameters = try ParameterStore(
            graph.parameters, block: block, training: training, keepsWeights: keepsWeights || training)
        var memory = try Planner(
            graph, output: output, precision: precision, training: training, parameters: parameters, block: block,
            compute: ComputeStream()
        ).memory
        memory.place()
        return memory.byteCount + parameters.byteCount
    }
}
