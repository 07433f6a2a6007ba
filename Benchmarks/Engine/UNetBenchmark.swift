import ArgumentParser
import CParallel
import Diffusion
import Foundation
import NeuralNetwork
import Tensors

/// The time and memory of one noise prediction of a guided-diffusion U-Net with random weights.
struct UNetBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unet", abstract: "One prediction of a guided-diffusion U-Net with random weights.")

    enum Model: String, CaseIterable, ExpressibleByArgument {
        case imagenet256
        case small64
        case prior256

        var configuration: GuidedDiffusionConfiguration {
            switch self {
            case .imagenet256: .imageNet256
            case .small64: .small64
            case .prior256: .prior256
            }
        }
    }

    @Option(help: "imagenet256 (552.8 million parameters), small64 or prior256.") var model = Model.imagenet256
    @Option(help: "Rows and columns of the image; by default those of the model.") var size: Int?
    @Option(help: "f32 or bf16.") var precision = Precision.f32
    @Option(help: "Measured predictions, after one that is not.") var steps = 2
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    private struct Report: BenchmarkReport {
        var secondsPerStep: Double
        var stepSeconds: [Double]
        var loadSeconds: Double
        var peakBytes: Int
        var arenaBytes: Int
        var precision: String
        var isNative: Bool
        var parameters: Int
        var threads: Int
        var implementations: [String: Int]
    }

    func run() throws {
        dkp_set_thread_count(Int32(threads))
        let configuration = UNetConfiguration.guidedDiffusion(model.configuration)
        let clock = ContinuousClock()
        let start = clock.now
        let network = try UNet(configuration, height: size, width: size, precision: precision) { body in
            for (name, shape) in try configuration.parameterShapes() { try body(name, Self.random(name, shape)) }
        }
        let loadSeconds = start.duration(to: clock.now) / .seconds(1)
        let side = size ?? configuration.imageSize
        var stream = RandomStream(seed: 0, name: "benchmark")
        let image = Tensor(
            shape: [3, side, side], (0..<3 * side * side).map { _ in Float(stream.uniform(in: -1...1)) })
        _ = try network.predict(image, timestep: 500)
        var seconds: [Double] = []
        for _ in 0..<max(steps, 1) {
            seconds.append(try clock.measure { _ = try network.predict(image, timestep: 500) } / .seconds(1))
        }
        let report = Report(
            secondsPerStep: seconds.sorted()[seconds.count / 2], stepSeconds: seconds, loadSeconds: loadSeconds,
            peakBytes: processStatus("VmHWM"), arenaBytes: network.memoryByteCount, precision: precision.rawValue,
            isNative: precision.isNative,
            parameters: try configuration.parameterShapes().reduce(0) { $0 + $1.shape.reduce(1, *) }, threads: threads,
            implementations: network.convolutionImplementations)
        try report.print(asJSON: json)
    }

    /// Uniform numbers that keep the variance of what goes through; a short run of them repeats, since their time counts
    /// for nothing here.
    private static func random(_ name: String, _ shape: [Int]) -> Tensor<Float> {
        guard shape.count > 1 else { return Tensor(shape: shape, repeating: name.hasSuffix("weight") ? 1 : 0) }
        let bound = (3 / Double(shape[1...].reduce(1, *))).squareRoot()
        var stream = RandomStream(seed: 0, name: name)
        let run = (0..<4093).map { _ in Float(stream.uniform(in: -bound...bound)) }
        var result = Tensor<Float>(shape: shape)
        result.withUnsafeMutableBufferPointer { elements in
            for index in elements.indices { elements[index] = run[index % run.count] }
        }
        return result
    }
}
