import Checkpointing
import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import TestSupport
import Testing

@Suite struct KernelPriorCheckpointTests {
    /// A loss that changes from iteration to iteration, as the image does.
    func loss(_ iteration: Int, _ prior: KernelPrior) -> Distance {
        var stream = RandomStream(seed: UInt64(iteration / 10), name: "truth")
        return Distance(truth: prior.kernel(of: prior.draw(.gaussian, from: &stream)))
    }

    func continues(_ make: (KernelPrior) throws -> some KernelSampler) throws {
        let prior = try makePrior(.auto)
        var whole = try make(prior)
        for iteration in 0..<50 { _ = whole.sample(loss(iteration, prior)) }
        var interrupted = try make(prior)
        for iteration in 0..<20 { _ = interrupted.sample(loss(iteration, prior)) }
        var snapshot = Snapshot()
        interrupted.save(to: &snapshot)
        var resumed = try make(prior)
        try resumed.restore(from: snapshot)
        #expect(resumed.last == interrupted.last)
        for iteration in 20..<50 { _ = resumed.sample(loss(iteration, prior)) }
        #expect(resumed.last == whole.last)
        var left = Snapshot()
        var right = Snapshot()
        whole.save(to: &left)
        resumed.save(to: &right)
        #expect(left == right)
    }

    @Test func `independent draws continue with the very next one`() throws {
        try continues { try IndependentSampler(prior: $0, seed: 5) }
    }

    @Test func `chains continue byte for byte`() throws {
        var settings = MetropolisSettings()
        settings.chains = 3
        settings.proposals = 5
        settings.renewalInterval = 7
        try continues { try MetropolisSampler(prior: $0, settings: settings, seed: 5) }
    }

    @Test func `a sampler saved before its first iteration starts afresh`() throws {
        let prior = try makePrior(.motion)
        var snapshot = Snapshot()
        try MetropolisSampler(prior: prior, seed: 1).save(to: &snapshot)
        var sampler = try MetropolisSampler(prior: prior, seed: 1)
        try sampler.restore(from: snapshot)
        #expect(sampler.last == nil)
        #expect(sampler.latents.isEmpty)
    }

    @Test func `the checkpoint holds what the format promises`() throws {
        let prior = try makePrior(.auto)
        var sampler = try MetropolisSampler(prior: prior, seed: 1)
        _ = sampler.sample(loss(0, prior))
        var snapshot = Snapshot()
        sampler.save(to: &snapshot)
        let names = ["latents", "log_densities", "step_sizes", "accepted", "weights", "kernels"]
        for name in names { #expect(snapshot.contains("mcmc/\(name)")) }
        #expect(try snapshot.doubles("mcmc/log_densities", count: 7).allSatisfy(\.isFinite))
        #expect(snapshot.contains("random/kernel_chain_6"))
    }

    static let damages: [@Sendable (inout Snapshot) -> Void] = [
        { $0.setAttribute("mcmc/sampler", "independent") },
        { $0.set("mcmc/step_sizes", Dataset([1.0])) },
        { $0.set("mcmc/chain_categories", Dataset([Int64](repeating: 2, count: 7))) },
        { $0.set("mcmc/chain_categories", Dataset([Int64](repeating: 1, count: 7))) },
        { $0.set("mcmc/weights", Dataset([Double](repeating: -1, count: 5))) },
        { $0.set("mcmc/latents", Dataset([Double](repeating: .nan, count: 700))) },
    ]

    @Test(arguments: damages.indices)
    func `a checkpoint that does not fit is refused and changes nothing`(index: Int) throws {
        let prior = try makePrior(.gaussian)
        var sampler = try MetropolisSampler(prior: prior, seed: 1)
        _ = sampler.sample(loss(0, prior))
        var snapshot = Snapshot()
        sampler.save(to: &snapshot)
        let before = snapshot
        Self.damages[index](&snapshot)
        #expect(throws: (any Error).self) { try sampler.restore(from: snapshot) }
        var after = Snapshot()
        sampler.save(to: &after)
        #expect(after == before)
    }

    @Test func `a kernel network continues byte for byte, gradients added up so far included`() throws {
        let settings = KernelNetworkSettings(inputCount: 10, hiddenCount: 40)
        func train(_ network: inout KernelNetwork, _ steps: Range<Int>) {
            for step in steps {
                network.backward(Tensor(shape: [7, 7], (0..<49).map { Float(($0 * step) % 11) }))
                guard step % 3 == 2 else { continue }
                network.adamStep(learningRate: 1e-3)
                network.forward()
                network.zeroGradients()
            }
        }
        var whole = try KernelNetwork(kernelSize: 7, settings: settings, seed: 3)
        train(&whole, 0..<50)
        var interrupted = try KernelNetwork(kernelSize: 7, settings: settings, seed: 3)
        train(&interrupted, 0..<20)
        var snapshot = Snapshot()
        interrupted.save(to: &snapshot)
        var resumed = try KernelNetwork(kernelSize: 7, settings: settings, seed: 99)
        try resumed.restore(from: snapshot)
        #expect(resumed.output == interrupted.output)
        train(&resumed, 20..<50)
        #expect(resumed.output == whole.output)
        #expect(resumed.parameters == whole.parameters)

        var other = try KernelNetwork(
            kernelSize: 7, settings: KernelNetworkSettings(inputCount: 10, hiddenCount: 41), seed: 3)
        let error = #expect(throws: CheckpointError.self) { try other.restore(from: snapshot) }
        #expect(error?.code == .wrongShape)
    }
}
