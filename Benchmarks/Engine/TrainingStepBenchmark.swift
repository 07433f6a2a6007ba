import ArgumentParser
import CParallel
import DeepImagePrior
import Foundation
import NeuralNetwork
import Tensors

/// The time and memory of one training step of the DIP network: forward, backward, Adam.
struct TrainingStepBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dip-step", abstract: "One step of the 128-channel skip network on a square image.")

    @Option(help: "Rows and columns of the image.") var size = 252
    @Option(help: "f32 or bf16.") var precision = Precision.f32
    @Option(help: "Measured steps, after two that are not.") var steps = 10
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    private struct Report: BenchmarkReport {
        var secondsPerStep: Double
        var peakBytes: Int
        var arenaBytes: Int
        /// What the heap took from the system between the first measured step and the last.
        var heapGrowthBytes: Int
        /// There only where Benchmarks/allocations.c is preloaded.
        var allocations: StepAllocations?
        var precision: String
        var isNative: Bool
        var parameters: Int
        var threads: Int
        var implementations: [String: Int]
    }

    func run() throws {
        dkp_set_thread_count(Int32(threads))
        let (graph, output) = try SkipNetwork().graph(height: size, width: size)
        let network = try Network(
            graph, output: output, outputActivation: .sigmoid, precision: precision, training: true)
        network.initializeParameters(seed: 0)
        var stream = RandomStream(seed: 0, name: "benchmark")
        let count = 3 * size * size
        try network.setInput(Tensor(shape: [3, size, size], (0..<count).map { _ in Float(stream.uniform() * 0.1) }))
        let target = Tensor<Float>(shape: [3, size, size], (0..<count).map { _ in Float(stream.uniform()) })
        var gradient = Tensor<Float>(shape: target.shape)

        func trainingStep() throws {
            try network.forward()
            gradient.withUnsafeMutableBufferPointer { gradient in
                network.result.withUnsafeBufferPointer { result in
                    target.withUnsafeBufferPointer { target in
                        for index in 0..<count { gradient[index] = 2 * (result[index] - target[index]) / Float(count) }
                    }
                }
            }
            try network.backward(gradient)
            network.adamStep(learningRate: 5e-3)
        }

        for _ in 0..<2 { try trainingStep() }
        let heapBefore = processStatus("VmData")
        let clock = ContinuousClock()
        var seconds: [Double] = []
        seconds.reserveCapacity(steps)
        for _ in 0..<max(steps, 1) {
            let duration = try clock.measure { try trainingStep() }
            seconds.append(duration / .seconds(1))
        }
        var allocations = StepAllocations()
        for _ in 0..<3 { try allocations?.count(trainingStep) }
        let report = Report(
            secondsPerStep: seconds.sorted()[seconds.count / 2], peakBytes: processStatus("VmHWM"),
            arenaBytes: network.arenaByteCount, heapGrowthBytes: processStatus("VmData") - heapBefore,
            allocations: allocations, precision: precision.rawValue, isNative: precision.isNative,
            parameters: network.trainableParameterCount, threads: threads,
            implementations: network.convolutionImplementations)
        try report.print(asJSON: json)
    }
}
