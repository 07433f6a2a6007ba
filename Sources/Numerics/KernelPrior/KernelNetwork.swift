import CKernelPriorKernels
import COptimisers
import Foundation
import KernelFamilies
public import Tensors

/// The shape of a ``KernelNetwork``.
public struct KernelNetworkSettings: Sendable, Codable, Equatable {
    /// The length of the random input code, 1 to 10,000.
    public var inputCount = 200
    /// The units of each hidden layer, 1 to 10,000.
    public var hiddenCount = 1000
    /// The number of layers, input and output counted: 3 to 7. The paper's "three layers" have one hidden.
    public var depth = 3
    /// The range of the uniform input code.
    public var codeRange: ClosedRange<Double> = 0...0.1

    /// The paper's network: 200, 1,000 and n^2 units.
    public init() {}

    /// A network of another shape.
    public init(inputCount: Int, hiddenCount: Int, depth: Int = 3) {
        self.inputCount = inputCount
        self.hiddenCount = hiddenCount
        self.depth = depth
    }

    /// Throws ``KernelPriorError`` naming the first setting that is out of range.
    public func validate() throws(KernelPriorError) {
        guard (1...10_000).contains(inputCount) else {
            throw .setting("kernel_network.input_count", inputCount, allowed: "1 to 10000")
        }
        guard (1...10_000).contains(hiddenCount) else {
            throw .setting("kernel_network.hidden_count", hiddenCount, allowed: "1 to 10000")
        }
        guard (3...7).contains(depth) else { throw .setting("kernel_network.depth", depth, allowed: "3 to 7") }
        guard codeRange.lowerBound.isFinite, codeRange.upperBound.isFinite else {
            throw .setting("kernel_network.code_range", codeRange, allowed: "finite numbers")
        }
    }
}

/// The network of prior kernel estimation (Equations 9 to 13): k = G(phi), fully connected layers with ReLU6 between
/// them and a softmax at the end, applied to a fixed random code.
///
/// Call ``forward()`` after every change of ``parameters``, then ``backward(_:)`` as often as there are losses: the
/// gradients add up until ``zeroGradients()``.
public struct KernelNetwork: Sendable {
    struct Layer: Sendable {
        let rows: Int
        let columns: Int
        /// Where the weights `[rows, columns]` start among the parameters; the biases `[rows]` follow them.
        let weights: Int
        var biases: Int { weights + rows * columns }
        var end: Int { biases + rows }
    }

    /// The number n of rows and columns of the kernel.
    public let kernelSize: Int
    /// The network's shape.
    public let settings: KernelNetworkSettings
    /// The fixed input code, `[inputCount]`.
    public internal(set) var code: Tensor<Float>
    /// All parameters: per layer the weights `[outputs, inputs]`, row-major, then the biases `[outputs]`.
    public var parameters: Tensor<Float>
    /// The gradients added up by ``backward(_:)``, laid out as ``parameters``.
    public internal(set) var gradients: Tensor<Float>
    /// Adam's first moments, laid out as ``parameters``.
    public internal(set) var firstMoments: Tensor<Float>
    /// Adam's second moments, laid out as ``parameters``.
    public internal(set) var secondMoments: Tensor<Float>
    /// The number of Adam steps made.
    public internal(set) var adamSteps = 0
    /// The kernel `[n, n]` of the last ``forward()``: positive, sum 1.
    public private(set) var output: Tensor<Float>

    let layers: [Layer]
    /// The input of each layer: the code, then each hidden layer's output.
    private var activations: [Tensor<Float>]

    /// A network with PyTorch's default initialisation, weights and biases uniform in +-1/sqrt(inputs), after one
    /// forward pass. Its random streams are `kernel_network/parameters` and `kernel_network/code`.
    /// Throws ``KernelPriorError`` if a setting or the kernel size (2 to 63) is out of range.
    public init(kernelSize: Int, settings: KernelNetworkSettings = .init(), seed: UInt64) throws(KernelPriorError) {
        try settings.validate()
        guard (2...63).contains(kernelSize) else { throw .setting("kernel_size", kernelSize, allowed: "2 to 63") }
        self.kernelSize = kernelSize
        self.settings = settings
        var layers: [Layer] = []
        for index in 0..<(settings.depth - 1) {
            layers.append(
                Layer(
                    rows: index == settings.depth - 2 ? kernelSize * kernelSize : settings.hiddenCount,
                    columns: index == 0 ? settings.inputCount : settings.hiddenCount,
                    weights: layers.last?.end ?? 0))
        }
        self.layers = layers
        let count = layers[layers.count - 1].end
        parameters = Tensor(shape: [count])
        gradients = Tensor(shape: [count])
        firstMoments = Tensor(shape: [count])
        secondMoments = Tensor(shape: [count])
        output = Tensor(shape: [kernelSize, kernelSize])
        code = Tensor(shape: [settings.inputCount])
        activations = layers.map { Tensor(shape: [$0.columns]) }

        var codeStream = RandomStream(seed: seed, name: "kernel_network/code")
        for index in 0..<code.count { code[index] = Float(codeStream.uniform(in: settings.codeRange)) }
        var stream = RandomStream(seed: seed, name: "kernel_network/parameters")
        parameters.withUnsafeMutableBufferPointer { parameters in
            for layer in layers {
                let bound = 1 / Double(layer.columns).squareRoot()
                for index in layer.weights..<layer.end {
                    parameters[index] = Float(stream.uniform(in: -bound...bound))
                }
            }
        }
        forward()
    }

    /// Replaces the fixed input code, `[inputCount]`. Call ``forward()`` for the new output.
    public mutating func setCode(_ code: Tensor<Float>) {
        precondition(code.shape == self.code.shape, "the code must be \(self.code.shape), not \(code.shape)")
        self.code = code
    }

    /// Computes ``output`` from the present ``parameters`` and ``code``.
    public mutating func forward() {
        activations[0] = code
        for (index, layer) in layers.enumerated() {
            let isLast = index == layers.count - 1
            var result = isLast ? output : activations[index + 1]
            // Each holds its own storage while it is written: the old reference must go first.
            if isLast { output = Tensor(shape: [0]) } else { activations[index + 1] = Tensor(shape: [0]) }
            parameters.withUnsafeBufferPointer { parameters in
                activations[index].withUnsafeBufferPointer { input in
                    result.withUnsafeMutableBufferPointer { result in
                        guard let p = parameters.baseAddress, let x = input.baseAddress, let y = result.baseAddress
                        else { return }
                        dkp_linear_forward(p + layer.weights, p + layer.biases, x, y, layer.rows, layer.columns)
                        if isLast {
                            dkp_softmax_forward(y, y, layer.rows)
                        } else {
                            dkp_relu6_forward(y, y, layer.rows)
                        }
                    }
                }
            }
            if isLast { output = result } else { activations[index + 1] = result }
        }
    }

    /// Adds to ``gradients`` those of a loss whose gradient with respect to ``output`` is given, `[n, n]`. The last
    /// ``forward()`` must have been with the present parameters.
    public mutating func backward(_ gradient: Tensor<Float>) {
        precondition(gradient.shape == output.shape, "the gradient must be \(output.shape), not \(gradient.shape)")
        var delta = Tensor<Float>(shape: [output.count])
        delta.withUnsafeMutableBufferPointer { delta in
            output.withUnsafeBufferPointer { output in
                gradient.withUnsafeBufferPointer { gradient in
                    guard let d = delta.baseAddress, let y = output.baseAddress, let g = gradient.baseAddress
                    else { return }
                    dkp_softmax_backward(y, g, d, output.count)
                }
            }
        }
        for (index, layer) in layers.enumerated().reversed() {
            accumulate(layer, delta: delta, input: activations[index])
            if index > 0 { delta = inputGradient(layer, delta: delta, input: activations[index]) }
        }
    }

    /// Sets ``gradients`` to zero.
    public mutating func zeroGradients() {
        gradients.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    }

    /// One step of Adam along ``gradients``, which stay as they are. Call ``forward()`` for the new output.
    public mutating func adamStep(
        learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8
    ) {
        adamSteps += 1
        let step = Int64(adamSteps)
        gradients.withUnsafeBufferPointer { gradients in
            parameters.withUnsafeMutableBufferPointer { parameters in
                firstMoments.withUnsafeMutableBufferPointer { first in
                    secondMoments.withUnsafeMutableBufferPointer { second in
                        guard let p = parameters.baseAddress, let g = gradients.baseAddress,
                            let m = first.baseAddress, let v = second.baseAddress
                        else { return }
                        dkp_adam_step(p, g, m, v, parameters.count, learningRate, beta1, beta2, epsilon, step)
                    }
                }
            }
        }
    }

    /// Trains the network towards a kernel `[n, n]` on the mean squared error alone: the paper's warm-up.
    /// Leaves the gradients zero and the output up to date; returns the last error.
    @discardableResult
    public mutating func warmUp(towards target: Tensor<Float>, steps: Int = 200, learningRate: Double = 1e-4) -> Double
    {
        precondition(target.shape == output.shape, "the target must be \(output.shape), not \(target.shape)")
        let sample = KernelSample(kernels: [target], categories: [.gaussian], losses: [0], weights: [1])
        for _ in 0..<steps {
            zeroGradients()
            backward(sample.guidance(at: output).gradient)
            adamStep(learningRate: learningRate)
            forward()
        }
        zeroGradients()
        return sample.guidance(at: output).value
    }

    private mutating func accumulate(_ layer: Layer, delta: Tensor<Float>, input: Tensor<Float>) {
        gradients.withUnsafeMutableBufferPointer { gradients in
            delta.withUnsafeBufferPointer { delta in
                input.withUnsafeBufferPointer { input in
                    guard let g = gradients.baseAddress, let d = delta.baseAddress, let x = input.baseAddress
                    else { return }
                    dkp_linear_accumulate(d, x, g + layer.weights, g + layer.biases, layer.rows, layer.columns)
                }
            }
        }
    }

    private func inputGradient(_ layer: Layer, delta: Tensor<Float>, input: Tensor<Float>) -> Tensor<Float> {
        var result = Tensor<Float>(shape: [layer.columns])
        result.withUnsafeMutableBufferPointer { result in
            parameters.withUnsafeBufferPointer { parameters in
                delta.withUnsafeBufferPointer { delta in
                    input.withUnsafeBufferPointer { input in
                        guard let r = result.baseAddress, let p = parameters.baseAddress,
                            let d = delta.baseAddress, let x = input.baseAddress
                        else { return }
                        dkp_linear_backward_input(p + layer.weights, d, r, layer.rows, layer.columns)
                        dkp_relu6_backward(x, r, layer.columns)
                    }
                }
            }
        }
        return result
    }
}
