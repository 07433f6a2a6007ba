import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import TestSupport
import Testing

@Suite struct MotionKernelTests {
    @Test(arguments: [2, 3, 4, 8], KernelCentre.allCases)
    func `drawn motion kernels are non-negative, sum to one and lie exactly at the centre`(
        scale: Int, centre: KernelCentre
    ) throws {
        let prior = try makePrior(.motion, scale: scale, centre: centre)
        var stream = RandomStream(seed: 11, name: "draws")
        for _ in 0..<60 {
            let latent = prior.draw(from: &stream)
            let kernel = prior.kernel(of: latent)
            let label = "\(prior.motion(of: latent))"
            #expect(kernel.elements.allSatisfy { $0 >= 0 }, "\(label)")
            expectClose(kernel.elements.reduce(0) { $0 + Double($1) }, 1.0, absolute: 1e-6, label)
            let moments = KernelMoments(kernel)
            expectClose(moments.row, prior.settings.centrePosition, absolute: 1e-5, label)
            expectClose(moments.column, prior.settings.centrePosition, absolute: 1e-5, label)
        }
    }

    @Test(arguments: [0, 0.4, 1.2, 2.5])
    func `a straight line has the moments of a line`(direction: Double) {
        let kernel = MotionKernel(length: 9, direction: direction).rendered(size: 19, centre: 9)
        let moments = KernelMoments(kernel.map { Float($0) })
        // Bilinear splatting adds up to 1/4 to a variance.
        expectClose(moments.major, 81.0 / 12 + 0.12, absolute: 0.14)
        #expect(moments.minor < 0.26)
        expectClose(moments.angle, direction, absolute: 0.03)
    }

    @Test func `a path longer than the grid is shrunk to fit`() {
        let kernel = MotionKernel(length: 60, direction: 0).rendered(size: 19, centre: 10.5)
        let row = (0..<19).map { kernel[10 * 19 + $0] + kernel[11 * 19 + $0] }
        // Seven and a half pixels of room to the right, and as much used to the left.
        #expect(row[18] > 0 && row[3] > 0 && row[2] < 1e-12)
        expectClose(row.reduce(0, +), 1, absolute: 1e-9)
    }

    @Test func `a turn of a full circle closes the path`() {
        var circle = MotionKernel(length: 12, direction: 1)
        circle.turns = [Double](repeating: 2 * .pi / 16, count: 16)
        let moments = KernelMoments(circle.rendered(size: 19, centre: 9).map { Float($0) })
        // A circle of radius r has the variance r^2 / 2 on both axes.
        let radius = 12 / (2 * Double.pi)
        expectClose(moments.major, radius * radius / 2 + 0.17, absolute: 0.1)
        expectClose(moments.minor, moments.major, absolute: 0.05)
    }

    @Test(arguments: [1999, 2000, 4000, 30_000]) func `a path may have more turns than points`(count: Int) {
        func circle(_ count: Int) -> Tensor<Double> {
            var circle = MotionKernel(length: 12, direction: 1)
            circle.turns = [Double](repeating: 2 * .pi / Double(count), count: count)
            return circle.rendered(size: 19, centre: 9)
        }
        expectClose(circle(count), circle(16), absolute: 2e-3)
    }

    @Test func `a shake at no time at all is at the beginning`() {
        var shaken = MotionKernel(length: 12, direction: 0)
        shaken.shakes = [MotionKernel.Shake(time: .nan, turn: 1), MotionKernel.Shake(time: .infinity, turn: 1)]
        let sum = shaken.rendered(size: 19, centre: 9).elements.reduce(0, +)
        expectClose(sum, 1, absolute: 1e-9)
    }

    @Test func `a shake turns the path back`() {
        var there = MotionKernel(length: 12, direction: 0)
        there.shakes = [MotionKernel.Shake(time: 0.5, turn: .pi)]
        let moments = KernelMoments(there.rendered(size: 19, centre: 9).map { Float($0) })
        expectClose(moments.major, 36.0 / 12 + 0.12, absolute: 0.15)
    }

    @Test func `the strength of the pull bounds the path`() {
        func major(_ pull: Double) -> Double {
            var kernel = MotionKernel(length: 24, direction: 0.3)
            kernel.pull = pull
            kernel.turns = [Double](repeating: 0.02, count: 64)
            return KernelMoments(kernel.rendered(size: 63, centre: 31).map { Float($0) }).major
        }
        #expect(major(0.004) < major(0.0005))
        #expect(major(0.0005) < major(0))
    }

    @Test func `the prior has straight lines in their share`() throws {
        let prior = try makePrior(.motion)
        var stream = RandomStream(seed: 5, name: "draws")
        let lines = (0..<2000).count { _ in prior.motion(of: prior.draw(from: &stream)).turns.isEmpty }
        expectClose(Double(lines) / 2000, prior.settings.lineShare, absolute: 0.03)
    }

    @Test func `a small step in the latent is a small step in the kernel`() throws {
        let prior = try makePrior(.motion)
        var stream = RandomStream(seed: 8, name: "draws")
        for _ in 0..<20 {
            let latent = prior.draw(from: &stream)
            var near = latent
            // The choice between line and path alone is a jump; it stays.
            for index in near.normals.indices.dropFirst() { near.normals[index] += 1e-4 * stream.normal() }
            let path = prior.motion(of: latent)
            guard prior.motion(of: near).shakes.count == path.shakes.count else { continue }
            #expect(squaredDistance(prior.kernel(of: latent), prior.kernel(of: near)) < 1e-4)
        }
    }
}
