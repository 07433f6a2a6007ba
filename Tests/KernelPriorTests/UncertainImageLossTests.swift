import KernelPrior
import Tensors
import Testing

@Suite struct UncertainImageLossTests {
    @Test func `a variance adds its share of the kernel's sum of squares`() {
        let kernel = Tensor<Float>(shape: [2, 2], [0.5, 0.25, 0.25, 0])
        let base = KernelLossFunction(count: 12) { _ in 3 }
        #expect(UncertainImageLoss(base, variance: 0).loss(of: kernel) == 3)
        #expect(UncertainImageLoss(base, variance: 8).loss(of: kernel) == 3 + 8 * 0.375)
        #expect(UncertainImageLoss(base, variance: 8).count == 12)
    }

    @Test(arguments: [0.1, 1, 10]) func `of kernels that explain the input alike it prefers the wider`(
        _ variance: Double
    ) {
        let loss = UncertainImageLoss(KernelLossFunction(count: 1) { _ in 1 }, variance: variance)
        let losses = [0.5, 1, 2, 4].map { scale in
            let gaussian = GaussianKernel(variance1: scale, variance2: 2 * scale, angle: 0.3)
            return loss.loss(of: gaussian.rendered(size: 19, scale: 4, centre: 10.5).map { Float($0) })
        }
        #expect(losses == losses.sorted(by: >) && Set(losses).count == losses.count)
    }
}
