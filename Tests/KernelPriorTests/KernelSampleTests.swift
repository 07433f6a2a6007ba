import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import TestSupport
import Testing

@Suite struct KernelSampleTests {
    static let kernels: [Tensor<Float>] = [
        Tensor(shape: [2, 2], [1, 0, 0, 0]), Tensor(shape: [2, 2], [0, 0.5, 0.5, 0]),
        Tensor(shape: [2, 2], [0.25, 0.25, 0.25, 0.25]),
    ]

    func sample(_ weights: [Double]) -> KernelSample {
        KernelSample(
            kernels: Self.kernels, categories: [.gaussian, .motion, .motion], losses: [3, 1, 2], weights: weights)
    }

    @Test func `inverse losses are Equations 6 and 8`() {
        let weights = KernelWeighting.inverseLoss.weights(for: [1, 2, 4], variance: 1)
        expectClose(weights, [4.0 / 7, 2.0 / 7, 1.0 / 7], absolute: 1e-12)
    }

    @Test func `focal weights are the authors'`() {
        let weights = KernelWeighting.focal.weights(for: [1, 2, 4], variance: 1)
        let p = [0, 1 / 4.00001, 3 / 4.00001]
        expectClose(weights, p.map { -pow(1 - $0, 2) * log($0 + 1e-3) }, absolute: 1e-12)
    }

    @Test func `likelihoods are ratios of probabilities`() {
        let weights = KernelWeighting.likelihood.weights(for: [1000, 1002, 5000], variance: 1)
        expectClose(weights[1] / weights[0], exp(-1.0), absolute: 1e-12)
        #expect(weights[2] == 0)
    }

    @Test func `the mean kernel and its summaries`() {
        let sample = sample([1, 2, 1])
        expectClose(sample.kernel.elements, [0.3125, 0.3125, 0.3125, 0.0625], absolute: 1e-6)
        #expect(sample.best == 1)
        #expect(sample.category == .motion)
        #expect(self.sample([5, 1, 1]).category == .gaussian)
        #expect(sample.spread > 0.5)
        let agreeing = KernelSample(
            kernels: [Self.kernels[0], Self.kernels[0]], categories: [.motion, .motion], losses: [1, 1],
            weights: [1, 0])
        #expect(agreeing.spread == 0)
    }

    @Test(arguments: [[0.2, 0.3, 0.5], [1.5, 0, 4]])
    func `the guidance gradient is the derivative of its value`(weights: [Double]) {
        let sample = sample(weights)
        let kernel = Tensor<Float>(shape: [2, 2], [0.4, 0.1, 0.2, 0.3])
        let gradient = sample.guidance(at: kernel).gradient
        let step: Float = 0x1p-6
        for index in 0..<kernel.count {
            var above = kernel
            var below = kernel
            above[index] += step
            below[index] -= step
            let slope =
                (sample.guidance(at: above).value - sample.guidance(at: below).value) / Double(2 * step)
            expectClose(Double(gradient[index]), slope, absolute: 1e-5)
        }
    }

    @Test func `the centroid penalty's gradient is the derivative of its value`() {
        let kernel = GaussianKernel(variance1: 3, variance2: 2, angle: 1).rendered(size: 9, scale: 2, centre: 4.7)
            .map { Float($0) }
        let (value, gradient) = CentroidPenalty.value(of: kernel, centre: 4)
        expectClose(value, 2 * 0.7 * 0.7, absolute: 0.2)
        // Mass moved from one pixel to another keeps the sum.
        let step: Float = 0x1p-12
        var moved = kernel
        moved[5 * 9 + 5] -= step
        moved[3 * 9 + 4] += step
        let slope = (CentroidPenalty.value(of: moved, centre: 4).value - value) / Double(step)
        expectClose(Double(gradient[3 * 9 + 4] - gradient[5 * 9 + 5]), slope, absolute: 1e-2)
    }

    @Test func `equal independent samplers stay equal, and prefer what explains better`() throws {
        let prior = try makePrior(.gaussian)
        var stream = RandomStream(seed: 1, name: "truth")
        let loss = Distance(truth: prior.kernel(of: prior.draw(from: &stream)))
        var first = try IndependentSampler(prior: prior, seed: 9)
        var second = try IndependentSampler(prior: prior, seed: 9)
        var other = try IndependentSampler(prior: prior, seed: 10)
        for _ in 0..<3 {
            let sample = first.sample(loss)
            #expect(sample.kernels.count == 5)
            #expect(sample == second.sample(loss))
            #expect(sample != other.sample(loss))
            let heaviest = sample.weights.indices.max { sample.weights[$0] < sample.weights[$1] }
            #expect(heaviest == sample.best)
            #expect(first.last == sample)
        }
    }
}
