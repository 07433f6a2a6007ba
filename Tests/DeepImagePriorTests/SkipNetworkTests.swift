import DeepImagePrior
import NeuralNetwork
import TestSupport
import Tensors
import Testing

@Suite struct SkipNetworkTests {
    @Test func `the paper's network has 2.36 million parameters`() throws {
        let (graph, output) = try SkipNetwork().graph(height: 64, width: 64)
        let network = try Network(graph, output: output, outputActivation: .sigmoid, precision: .f32, training: true)
        #expect((2_340_000...2_370_000).contains(network.trainableParameterCount))
    }
}
