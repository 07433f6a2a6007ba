import Checkpointing
import Degradation
import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import Testing

@Suite struct SoftmaxKernelTests {
    private static let centre = KernelPriorSettings(scale: 4).centrePosition

    /// The equations of a picture of blocks and of what a motion kernel makes of it, and that kernel.
    private static func problem() throws -> (equations: KernelNormalEquations, truth: Tensor<Float>) {
        let side = 96
        let image = blocksPicture(side: side)
        let prior = try makePrior(.motion)
        var stream = RandomStream(seed: 8, name: "truth")
        let truth = prior.kernel(of: prior.draw(.motion, from: &stream))
        let degradation = DegradationOperator(
            scale: 4, kernelSize: truth.shape[0], height: side, width: side)
        var builder = KernelEquationsBuilder(
            observed: degradation.apply(image: image, kernel: truth), scale: 4, kernelSize: truth.shape[0],
            domain: .both)
        return (builder.equations(of: image), truth)
    }

    private static func gaussian(_ variance: Double) -> Tensor<Float> {
        GaussianKernel(variance1: variance, variance2: variance, angle: 0)
            .rendered(size: 19, scale: 4, centre: centre).map { Float($0) }
    }

    @Test func `with the true image it comes near a motion kernel in the steps that a search has`() throws {
        let (equations, truth) = try Self.problem()
        let start = Self.gaussian(4)
        var kernel = SoftmaxKernel(start)
        #expect(peakSignalToNoise(kernel.kernel, start) > 60)
        for _ in 0..<50 { kernel.descend(.init(), equations: equations, ridge: 0, centre: Self.centre) }
        let found = kernel.kernel
        #expect(peakSignalToNoise(found, truth) > peakSignalToNoise(start, truth) + 6)
        #expect(equations.loss(of: found) < 0.05 * equations.loss(of: start))
        #expect(abs(found.elements.reduce(0, +) - 1) < 1e-5 && found.elements.allSatisfy { $0 > 0 })
    }

    @Test func `it keeps to an extent where the data say little, and to none that it is within`() throws {
        let equations = KernelNormalEquations(kernelSize: 19)
        var wide = SoftmaxKernel(Self.gaussian(9))
        let extent = KernelExtent(Self.gaussian(4), centre: Self.centre)
        for _ in 0..<40 {
            wide.descend(.init(), equations: equations, ridge: 0, centre: Self.centre, within: extent)
        }
        let found = KernelExtent(wide.kernel, centre: Self.centre)
        #expect(found.rows < 1.2 * extent.rows && found.columns < 1.2 * extent.columns)

        let narrow = SoftmaxKernel(Self.gaussian(2))
        var moved = narrow
        moved.descend(.init(), equations: equations, ridge: 0, centre: Self.centre, within: extent)
        // The centre's pull is all that is left, and the centre is where it belongs but for rounding.
        #expect(peakSignalToNoise(moved.kernel, narrow.kernel) > 50)
    }

    @Test func `saved in the middle, it goes on byte for byte`() throws {
        let (equations, _) = try Self.problem()
        func run(_ kernel: inout SoftmaxKernel, _ rounds: Int) {
            for _ in 0..<rounds { kernel.descend(.init(), equations: equations, ridge: 1e-5, centre: Self.centre) }
        }
        var whole = SoftmaxKernel(Self.gaussian(4))
        run(&whole, 4)
        var snapshot = Snapshot()
        #expect(try SoftmaxKernel.restore(from: snapshot, at: "kernel", size: 19) == nil)
        whole.save(to: &snapshot, at: "kernel")
        var resumed = try #require(try SoftmaxKernel.restore(from: snapshot, at: "kernel", size: 19))
        #expect(resumed == whole)
        run(&whole, 3)
        run(&resumed, 3)
        #expect(resumed == whole)
        #expect(throws: CheckpointError.self) {
            try SoftmaxKernel.restore(from: snapshot, at: "kernel", size: 11)
        }
    }
}
