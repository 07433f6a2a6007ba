public import ArgumentParser
import Jobs
import NeuralNetwork
import Restoration

/// Measures the engine; what it prints is read by Benchmarks/run, which compares it with PyTorch.
@main
struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dkp-benchmark",
        abstract: "Measures the engine, for Benchmarks/run, and what the parts of a method are worth.",
        subcommands: [
            TrainingStepBenchmark.self, UNetBenchmark.self, CheckpointBenchmark.self, AblationBenchmark.self,
        ])
}

extension Precision: ExpressibleByArgument {}
extension RestorationSettings.Precision: ExpressibleByArgument {}
