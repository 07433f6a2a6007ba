public import NeuralNetwork

extension UNet {
    /// The bytes that a network of this configuration takes for images of the size that it was trained on, from its plan
    /// alone: see ``UNet/memoryByteCount``.
    /// - Throws: as the initialiser.
    public static func plannedByteCount(
        _ configuration: UNetConfiguration, precision: Precision = .fastest
    ) throws -> Int {
        let size = configuration.imageSize
        let (graph, output) = try configuration.graph(height: size, width: size)
        return try Network.plannedByteCount(
            graph, output: output, precision: precision, training: false, keepsWeights: false)
    }
}
