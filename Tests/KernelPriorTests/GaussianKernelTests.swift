import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import TestSupport
import Testing

@Suite struct GaussianKernelTests {
    @Test(arguments: 0..<8)
    func `a Gaussian kernel is the golden one`(index: Int) throws {
        let table = try GoldenNumbers.dip.doubles("gaussian_kernels/scale_size_variance1_variance2_angle_centre_f64")
        let row = table.elements[(6 * index)..<(6 * index + 6)].map { $0 }
        let kernel = GaussianKernel(variance1: row[2], variance2: row[3], angle: row[4])
            .rendered(size: Int(row[1]), scale: Int(row[0]), centre: row[5])
        // Double precision throughout: what is left is the order of the sums.
        expectClose(
            kernel, try GoldenNumbers.dip.doubles("gaussian_kernels/kernel_\(index)_f64"), absolute: 1e-12,
            relative: 1e-9)
    }

    @Test(arguments: [2, 3, 4, 8])
    func `drawn Gaussians are non-negative, sum to one and lie at the registered centre`(scale: Int) throws {
        let prior = try makePrior(.gaussian, scale: scale)
        var stream = RandomStream(seed: 7, name: "draws")
        for _ in 0..<100 {
            let latent = prior.draw(from: &stream)
            let kernel = prior.kernel(of: latent)
            let label = "\(prior.gaussian(of: latent))"
            #expect(kernel.shape == [prior.kernelSize, prior.kernelSize])
            #expect(kernel.elements.allSatisfy { $0 >= 0 }, "\(label)")
            expectClose(kernel.elements.reduce(0) { $0 + Double($1) }, 1.0, absolute: 1e-6, label)
            let moments = KernelMoments(kernel)
            // At scale 8 the kernel of 21 cuts off more of the widest Gaussians than the shift makes up for.
            let tolerance = scale == 8 ? 0.1 : 0.05
            expectClose(moments.row, prior.settings.centrePosition, absolute: tolerance, label)
            expectClose(moments.column, prior.settings.centrePosition, absolute: tolerance, label)
        }
    }

    @Test func `a narrow Gaussian's moments are its variances and angle`() {
        let kernel = GaussianKernel(variance1: 4, variance2: 1.5, angle: 0.6)
            .rendered(size: 31, scale: 4, centre: 16.5)
        let moments = KernelMoments(kernel.map { Float($0) })
        expectClose(moments.major, 4.0, absolute: 0.01)
        expectClose(moments.minor, 1.5, absolute: 0.01)
        expectClose(moments.angle, 0.6, absolute: 0.01)
    }

    @Test(arguments: [(1, 31), (2, 11), (3, 15), (4, 19), (8, 21)])
    func `the kernel size is 4 s + 3, at most 21, and 31 at scale 1`(scale: Int, size: Int) {
        #expect(KernelPriorSettings.kernelSize(scale: scale) == size)
    }

    @Test(arguments: [(1, 15, 15), (2, 5.5, 4.5), (3, 8, 6), (4, 10.5, 7.5), (8, 13.5, 6.5)])
    func `the centre conventions are those of the data sets`(scale: Int, registered: Double, fkp: Double) {
        let size = KernelPriorSettings.kernelSize(scale: scale)
        #expect(KernelCentre.registered.position(size: size, scale: scale) == registered)
        #expect(KernelCentre.fkp.position(size: size, scale: scale) == fkp)
    }

    @Test func `a latent's angle has no seam and its variances fill their range`() throws {
        let prior = try makePrior(.gaussian)
        var stream = RandomStream(seed: 3, name: "draws")
        var variances = 0.0
        var angles = 0.0
        let count = 4000
        for _ in 0..<count {
            let kernel = prior.gaussian(of: prior.draw(from: &stream))
            #expect(prior.settings.gaussianVariances.contains(kernel.variance1))
            #expect((0..<Double.pi).contains(kernel.angle))
            variances += kernel.variance2
            angles += kernel.angle
        }
        expectClose(variances / Double(count), (0.7 + 10) / 2, absolute: 0.2)
        expectClose(angles / Double(count), Double.pi / 2, absolute: 0.06)
    }
}
