import CParallel
import Degradation
import HDF5
import TestSupport
import Tensors
import Testing

@Suite struct DegradationOperatorTests {
    @Test func `the operator and both transposes agree with PyTorch`() throws {
        let golden = GoldenNumbers.dip
        let image = try golden.doubles("degradation/image_f64").map { Float($0) }.reshaped([3, 24, 32])
        let kernel = try golden.doubles("degradation/kernel_f64").map { Float($0) }
        let residual = try golden.doubles("degradation/cotangent_f64").map { Float($0) }.reshaped([3, 12, 16])
        let scale = try #require(try golden.attribute("scale", of: "degradation").intValue)
        let degradation = DegradationOperator(scale: Int(scale), kernelSize: 11, height: 24, width: 32)

        expectClose(
            degradation.apply(image: image, kernel: kernel),
            try golden.doubles("degradation/output_f64").reshaped([3, 12, 16]), absolute: 1e-6, relative: 1e-5)
        expectClose(
            degradation.adjointImage(residual: residual, kernel: kernel),
            try golden.doubles("degradation/gradient_wrt_image_f64").reshaped([3, 24, 32]), absolute: 1e-6,
            relative: 1e-5)
        expectClose(
            degradation.adjointKernel(residual: residual, image: image),
            try golden.doubles("degradation/gradient_wrt_kernel_f64"), absolute: 1e-5, relative: 1e-5)
    }

    @Test(arguments: ProblemSize.all)
    func `the operator and both transposes are the sums of their definition`(_ size: ProblemSize) {
        var random = RandomStream(seed: 1, name: "operator \(size)")
        let image = size.image(&random)
        let kernel = size.kernel(&random)
        let residual = Tensor.randomSigned(size.lowShape, &random)

        expectClose(
            size.degradation.apply(image: image, kernel: kernel), Reference.degraded(image, kernel, size),
            absolute: 1e-6, relative: 1e-6)
        expectClose(
            size.degradation.adjointImage(residual: residual, kernel: kernel),
            Reference.adjointImage(residual, kernel, size), absolute: 1e-6, relative: 1e-6)
        expectClose(
            size.degradation.adjointKernel(residual: residual, image: image),
            Reference.adjointKernel(residual, image, size), absolute: 1e-5, relative: 1e-6)
    }

    @Test(arguments: [
        ProblemSize(2, 11, 31, 37, 3), ProblemSize(3, 15, 29, 23, 1), ProblemSize(4, 19, 63, 63, 3),
        ProblemSize(8, 21, 19, 31, 3),
    ])
    func `the transposes are adjoint to the operator at the method's sizes`(_ size: ProblemSize) {
        var random = RandomStream(seed: 2, name: "adjoint \(size)")
        let image = size.image(&random)
        let kernel = size.kernel(&random)
        let residual = size.observed(&random)
        let product = dot(size.degradation.apply(image: image, kernel: kernel), residual)
        expectClose(
            dot(size.degradation.adjointImage(residual: residual, kernel: kernel), image), product, relative: 1e-6)
        expectClose(
            dot(size.degradation.adjointKernel(residual: residual, image: image), kernel), product, relative: 1e-6)
    }

    @Test func `one operator serves images of one and three channels and overwrites what was there`() {
        var random = RandomStream(seed: 3, name: "reuse")
        var degradation = ProblemSize(4, 19, 5, 9, 1).degradation
        for channels in [1, 3, 1] {
            let size = ProblemSize(4, 19, 5, 9, channels)
            let image = size.image(&random)
            let kernel = size.kernel(&random)
            let residual = size.observed(&random)
            var output = Tensor<Float>(shape: size.lowShape, repeating: .nan)
            var imageGradient = Tensor<Float>(shape: size.highShape, repeating: .nan)
            var kernelGradient = Tensor<Float>(shape: [19, 19], repeating: .nan)
            degradation.apply(image: image, kernel: kernel, into: &output)
            degradation.adjointImage(residual: residual, kernel: kernel, into: &imageGradient)
            degradation.adjointKernel(residual: residual, image: image, into: &kernelGradient)
            #expect(output == size.degradation.apply(image: image, kernel: kernel))
            #expect(imageGradient == size.degradation.adjointImage(residual: residual, kernel: kernel))
            #expect(kernelGradient == size.degradation.adjointKernel(residual: residual, image: image))
        }
    }

    @Test func `a kernel of one tap at the centre keeps every s-th pixel from index 0`() {
        var random = RandomStream(seed: 4, name: "tap")
        let size = ProblemSize(3, 15, 4, 6, 1)
        let image = size.image(&random)
        var kernel = Tensor<Float>(shape: [15, 15])
        kernel[7 * 15 + 7] = 1
        let output = size.degradation.apply(image: image, kernel: kernel)
        for row in 0..<4 {
            for column in 0..<6 { #expect(output[row * 6 + column] == image[3 * row * 18 + 3 * column]) }
        }
    }
}

/// In one serial suite: the number of threads belongs to the whole process.
@Suite(.serialized) struct ThreadCountTests {
    @Test func `no result depends on the number of threads`() {
        let before = Int(dkp_thread_count())
        defer { dkp_set_thread_count(Int32(before)) }
        var random = RandomStream(seed: 5, name: "threads")
        let size = ProblemSize(4, 19, 37, 41, 3)
        let image = size.image(&random)
        let kernel = size.kernel(&random)
        let residual = size.observed(&random)

        func results(threads: Int32) -> [Tensor<Float>] {
            dkp_set_thread_count(threads)
            var gradient = Tensor<Float>(shape: size.highShape)
            var prior = GradientPrior(height: size.height, width: size.width)
            let value = prior.value(of: image, addingGradientTo: &gradient)
            var similarityGradient = Tensor<Float>(shape: size.lowShape)
            var similarity = StructuralSimilarity(target: residual)
            let output = size.degradation.apply(image: image, kernel: kernel)
            let loss = similarity.loss(of: output, gradient: &similarityGradient)
            let quadratic = KernelQuadratic(image: image, observed: residual, scale: 4, kernelSize: 19)
            return [
                output, size.degradation.adjointImage(residual: residual, kernel: kernel),
                size.degradation.adjointKernel(residual: residual, image: image), gradient, similarityGradient,
                quadratic.gradient(at: kernel),
                Tensor(shape: [3], [Float(value), Float(loss), Float(quadratic.loss(of: kernel))]),
            ]
        }
        let alone = results(threads: 1)
        for threads: Int32 in [2, 3, 5] { #expect(results(threads: threads) == alone, "\(threads) threads") }
    }
}
