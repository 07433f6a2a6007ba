import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import TestSupport
import Testing

@Suite struct KernelNetworkTests {
    /// The golden network, Linear(12, 20) - ReLU6 - Linear(20, 49) - softmax, with its parameters and code.
    func goldenNetwork() throws -> KernelNetwork {
        var network = try KernelNetwork(
            kernelSize: 7, settings: KernelNetworkSettings(inputCount: 12, hiddenCount: 20), seed: 0)
        network.parameters = try goldenVector("kernel_network/parameters")
        network.setCode(try GoldenNumbers.dip.floats("kernel_network/input"))
        network.forward()
        return network
    }

    func goldenVector(_ group: String) throws -> Tensor<Float> {
        let parts = try ["1.weight", "1.bias", "3.weight", "3.bias"].flatMap {
            try GoldenNumbers.dip.floats("\(group)/\($0)").elements
        }
        return Tensor(shape: [parts.count], parts)
    }

    func goldenTarget() throws -> KernelSample {
        let target = try GoldenNumbers.dip.floats("kernel_network/target").reshaped([7, 7])
        return KernelSample(kernels: [target], categories: [.gaussian], losses: [0], weights: [1])
    }

    @Test func `output and first gradients are PyTorch's`() throws {
        var network = try goldenNetwork()
        expectClose(
            network.output.elements, try GoldenNumbers.dip.floats("kernel_network/output").elements, absolute: 1e-7,
            relative: 1e-5)
        network.backward(try goldenTarget().guidance(at: network.output).gradient)
        expectClose(network.gradients, try goldenVector("kernel_network/gradients"), absolute: 1e-8, relative: 1e-4)
    }

    @Test func `five Adam steps end where PyTorch's do`() throws {
        var network = try goldenNetwork()
        network.warmUp(towards: try goldenTarget().kernel, steps: 5, learningRate: 1e-3)
        #expect(network.adamSteps == 5)
        // Adam divides by the gradient's size: where that is near zero its rounding errors come through whole.
        expectClose(
            network.parameters, try goldenVector("kernel_network/parameters_after_5_steps"), absolute: 2e-6,
            relative: 1e-5)
    }

    @Test(arguments: [3, 5, 7])
    func `gradients are derivatives at every depth`(depth: Int) throws {
        var network = try KernelNetwork(
            kernelSize: 5, settings: KernelNetworkSettings(inputCount: 9, hiddenCount: 21, depth: depth), seed: 4)
        var stream = RandomStream(seed: 1, name: "cotangent")
        let cotangent = Tensor<Float>(shape: [5, 5], (0..<25).map { _ in Float(stream.normal()) })
        func value(_ network: KernelNetwork) -> Double {
            zip(network.output.elements, cotangent.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        network.backward(cotangent)
        let gradients = network.gradients
        for _ in 0..<30 {
            let index = stream.index(below: network.parameters.count)
            let step: Float = 0x1p-7
            var above = network
            var below = network
            above.parameters[index] += step
            below.parameters[index] -= step
            above.forward()
            below.forward()
            expectClose(
                Double(gradients[index]), (value(above) - value(below)) / Double(2 * step), absolute: 2e-5,
                relative: 5e-3, "parameter \(index)")
        }
    }

    @Test func `gradients of several losses add up`() throws {
        var network = try goldenNetwork()
        let gradient = try goldenTarget().guidance(at: network.output).gradient
        network.backward(gradient)
        let once = network.gradients
        network.backward(gradient)
        expectClose(network.gradients, once.map { 2 * $0 }, relative: 1e-6)
        network.zeroGradients()
        #expect(network.gradients.elements.allSatisfy { $0 == 0 })
    }

    @Test func `a fresh network is reproducible, within its bounds, and a copy is independent`() throws {
        let settings = KernelNetworkSettings(inputCount: 16, hiddenCount: 30)
        let network = try KernelNetwork(kernelSize: 9, settings: settings, seed: 1)
        #expect(network.parameters == (try KernelNetwork(kernelSize: 9, settings: settings, seed: 1)).parameters)
        #expect(network.parameters != (try KernelNetwork(kernelSize: 9, settings: settings, seed: 2)).parameters)
        #expect(network.parameters.elements.prefix(16 * 30).allSatisfy { abs($0) <= 0.25 })
        #expect(network.code.elements.allSatisfy { (0..<0.1).contains($0) })
        expectClose(network.output.elements.reduce(0, +), 1, absolute: 1e-5)
        var copy = network
        copy.warmUp(towards: Tensor(shape: [9, 9], repeating: 1 / 81), steps: 3)
        #expect(copy.parameters != network.parameters)
        #expect(network.adamSteps == 0)
    }

    @Test(.tags(.slow)) func `the paper's warm-up brings the network near a kernel`() throws {
        let truth = GaussianKernel(variance1: 6, variance2: 3, angle: 0.5).rendered(size: 19, scale: 4, centre: 10.5)
            .map { Float($0) }
        var network = try KernelNetwork(kernelSize: 19, seed: 0)
        let before = peakSignalToNoise(network.output, truth)
        network.warmUp(towards: truth, steps: 200)
        #expect(peakSignalToNoise(network.output, truth) > before + 4)
    }
}
