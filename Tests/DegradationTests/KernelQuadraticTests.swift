import Degradation
import TestSupport
import Tensors
import Testing

@Suite struct KernelQuadraticTests {
    @Test(arguments: ProblemSize.all)
    func `the form is the loss, for kernels of any sum and sign`(_ size: ProblemSize) {
        var random = RandomStream(seed: 1, name: "quadratic \(size)")
        let image = size.image(&random)
        let observed = size.observed(&random)
        let quadratic = KernelQuadratic(
            image: image, observed: observed, scale: size.scale, kernelSize: size.kernelSize)
        #expect(quadratic.count == size.lowCount)
        let kernelShape = [size.kernelSize, size.kernelSize]
        for kernel in [
            size.kernel(&random), Tensor.randomSigned(kernelShape, &random), Tensor<Float>(shape: kernelShape),
        ] {
            // The form is a difference of terms of the size of the energies involved.
            expectClose(
                quadratic.loss(of: kernel), Reference.loss(image, kernel, observed, size),
                absolute: 1e-13 * quadratic.signalEnergy, relative: 1e-11)
        }
    }

    @Test(arguments: [
        ProblemSize(2, 11, 12, 15, 3), ProblemSize(3, 15, 9, 11, 1), ProblemSize(4, 19, 9, 11, 3),
        ProblemSize(8, 21, 5, 6, 3),
    ])
    func `a small residual and small differences between kernels survive the cancellation`(_ size: ProblemSize) {
        var random = RandomStream(seed: 2, name: "optimum \(size)")
        let image = size.image(&random)
        let truth = size.kernel(&random)
        let clean = size.degradation.apply(image: image, kernel: truth)
        let energy = dot(clean, clean)
        // Noise of 1e-5 of the signal's energy.
        let deviation = (1e-5 * energy / Double(clean.count)).squareRoot()
        let observed = clean.map { $0 + Float(deviation * random.normal()) }
        let quadratic = KernelQuadratic(
            image: image, observed: observed, scale: size.scale, kernelSize: size.kernelSize)

        let atTruth = quadratic.loss(of: truth)
        let expected = Reference.loss(image, truth, observed, size)
        #expect(expected < 3e-5 * energy)
        expectClose(atTruth, expected, relative: 1e-8)
        for step in [1e-2, 1e-3, 1e-4] {
            let other = truth.map { $0 * Float(1 + step * random.normal()) }
            let difference = Reference.loss(image, other, observed, size) - expected
            expectClose(
                quadratic.loss(of: other) - atTruth, difference, absolute: 1e-12 * energy, relative: 1e-6, "\(step)")
        }
    }

    @Test(arguments: ProblemSize.all)
    func `the gradient is the transpose applied to the residual`(_ size: ProblemSize) {
        var random = RandomStream(seed: 3, name: "gradient \(size)")
        let image = size.image(&random)
        let observed = size.observed(&random)
        let kernel = size.kernel(&random)
        let quadratic = KernelQuadratic(
            image: image, observed: observed, scale: size.scale, kernelSize: size.kernelSize)
        let residual = Reference.degraded(image, kernel, size).elements
        let twice = zip(residual, observed.elements).map { Float(2 * ($0 - Double($1))) }
        expectClose(
            quadratic.gradient(at: kernel),
            Reference.adjointKernel(Tensor(shape: size.lowShape, twice), image, size), absolute: 2e-5, relative: 1e-6)

        var gradient = Tensor<Float>(shape: kernel.shape, repeating: .nan)
        expectClose(
            quadratic.gradient(at: kernel, into: &gradient), quadratic.loss(of: kernel), absolute: 1e-10,
            relative: 1e-11)
        #expect(gradient == quadratic.gradient(at: kernel))
    }

    @Test func `a batch gives each kernel's own loss`() {
        var random = RandomStream(seed: 4, name: "batch")
        let size = ProblemSize(4, 19, 5, 6, 3)
        let quadratic = KernelQuadratic(
            image: size.image(&random), observed: size.observed(&random), scale: 4, kernelSize: 19)
        let kernels = (0..<7).map { _ in size.kernel(&random) }
        let batch = Tensor(shape: [7, 19, 19], kernels.flatMap(\.elements))
        #expect(quadratic.lossBatch(batch) == kernels.map { quadratic.loss(of: $0) })
        #expect(quadratic.lossBatch(Tensor(shape: [0, 19, 19])).isEmpty)
    }

    @Test func `an update replaces the form, and a copy keeps the old one`() {
        var random = RandomStream(seed: 5, name: "update")
        let size = ProblemSize(2, 11, 7, 6, 3)
        let kernel = size.kernel(&random)
        var quadratic = KernelQuadratic(scale: 2, kernelSize: 11, height: 14, width: 12, channels: 3)
        #expect(quadratic.loss(of: kernel) == 0)
        let empty = quadratic
        for _ in 0..<2 {
            let image = size.image(&random)
            let observed = size.observed(&random)
            quadratic.update(image: image, observed: observed)
            let fresh = KernelQuadratic(image: image, observed: observed, scale: 2, kernelSize: 11)
            #expect(quadratic.loss(of: kernel) == fresh.loss(of: kernel))
            expectClose(quadratic.signalEnergy, dot(observed, observed), relative: 1e-13)
        }
        #expect(empty.loss(of: kernel) == 0)
    }
}
