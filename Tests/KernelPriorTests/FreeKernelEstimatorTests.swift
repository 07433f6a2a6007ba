import Checkpointing
import Degradation
import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import Testing

@Suite struct FreeKernelEstimatorTests {
    /// A picture with edges and its low-resolution image under a kernel.
    private static func problem(_ kernel: Tensor<Float>, scale: Int) -> (image: Tensor<Float>, observed: Tensor<Float>)
    {
        let side = 24 * scale
        let image = blocksPicture(side: side)
        let degradation = DegradationOperator(
            scale: scale, kernelSize: kernel.shape[0], height: side, width: side)
        return (image, degradation.apply(image: image, kernel: kernel))
    }

    private static func truth(_ category: KernelCategory, scale: Int) throws -> Tensor<Float> {
        let prior = try makePrior(.auto, scale: scale)
        var random = RandomStream(seed: 8, name: "truth")
        return prior.kernel(of: prior.draw(category, from: &random))
    }

    @Test(arguments: [(2, KernelCategory.gaussian), (4, .gaussian), (4, .motion)])
    func `with the true image it finds a kernel of any family`(_ scale: Int, _ category: KernelCategory) throws {
        let truth = try Self.truth(category, scale: scale)
        let (image, observed) = Self.problem(truth, scale: scale)
        var builder = KernelEquationsBuilder(observed: observed, scale: scale, kernelSize: truth.shape[0])
        let equations = builder.equations(of: image)
        let centre = KernelPriorSettings(scale: scale).centrePosition
        let start = GaussianKernel(variance1: 4, variance2: 4, angle: 0)
            .rendered(size: truth.shape[0], scale: scale, centre: centre).map { Float($0) }
        var estimator = FreeKernelEstimator()
        estimator.iterations = 400
        let found = estimator.refine(from: start, equations: equations, ridge: 0, centre: centre)
        #expect(peakSignalToNoise(found, truth) > 65)
        #expect(peakSignalToNoise(found, truth) > peakSignalToNoise(start, truth) + 10)
        #expect(abs(found.elements.reduce(0, +) - 1) < 1e-4)
        #expect(found.elements.allSatisfy { $0 >= 0 })
        #expect(found == estimator.refine(from: start, equations: equations, ridge: 0, centre: centre))
    }

    @Test func `a ridge makes the kernel wider`() throws {
        let truth = try Self.truth(.motion, scale: 4)
        let (image, observed) = Self.problem(truth, scale: 4)
        var builder = KernelEquationsBuilder(observed: observed, scale: 4, kernelSize: 19)
        let equations = builder.equations(of: image)
        let norms = [0, 1e-4, 1e-3, 1e-2].map { ridge in
            FreeKernelEstimator().refine(from: truth, equations: equations, ridge: ridge, centre: 10.5).squaredNorm
        }
        #expect(norms == norms.sorted(by: >) && Set(norms).count == norms.count)
    }

    @Test func `where the image says nothing the kernel stays and its centre is pulled`() {
        let observed = Tensor<Float>(shape: [1, 8, 8], repeating: 0.5)
        var builder = KernelEquationsBuilder(observed: observed, scale: 2, kernelSize: 11)
        let equations = builder.equations(of: Tensor(shape: [1, 16, 16], repeating: 0.5))
        let kernel = GaussianKernel(variance1: 1, variance2: 1, angle: 0)
            .rendered(size: 11, scale: 2, centre: 4.5).map { Float($0) }
        let found = FreeKernelEstimator().refine(from: kernel, equations: equations, ridge: 0, centre: 5.5)
        let moments = KernelMoments(found)
        #expect(abs(moments.row - 5.5) < 0.05 && abs(moments.column - 5.5) < 0.05)
    }

    @Test func `saved equations come back to the bit`() throws {
        let truth = try Self.truth(.motion, scale: 2)
        let (image, observed) = Self.problem(truth, scale: 2)
        var builder = KernelEquationsBuilder(observed: observed, scale: 2, kernelSize: 11)
        let equations = builder.equations(of: image)
        var snapshot = Snapshot()
        #expect(try KernelNormalEquations.restore(from: snapshot, at: "kernel/equations", kernelSize: 11) == nil)
        equations.save(to: &snapshot, at: "kernel/equations")
        #expect(
            try KernelNormalEquations.restore(from: snapshot, at: "kernel/equations", kernelSize: 11) == equations)
        #expect(throws: CheckpointError.self) {
            try KernelNormalEquations.restore(from: snapshot, at: "kernel/equations", kernelSize: 19)
        }
    }
}
