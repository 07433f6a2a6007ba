import CImagingKernels
import Degradation
import Foundation
import HDF5
import TestSupport
import Tensors
import Testing

@Suite struct LossTests {
    /// Channels, height, width: smaller and larger than the window, around whole numbers of vectors.
    static let sizes = [[1, 1, 1], [3, 2, 3], [1, 1, 20], [1, 20, 1], [3, 7, 17], [1, 13, 8], [2, 6, 33]]

    // MARK: Structural similarity

    @Test func `similarity and its gradient agree with PyTorch`() throws {
        let golden = GoldenNumbers.dip
        let image = try golden.floats("ssim/a").reshaped([3, 20, 17])
        var similarity = StructuralSimilarity(target: try golden.floats("ssim/b").reshaped([3, 20, 17]))
        let expected = try #require(try golden.attribute("ssim", of: "ssim").doubleValue)
        expectClose(similarity.similarity(of: image), expected, relative: 1e-6)

        var gradient = Tensor<Float>(shape: [3, 20, 17], repeating: .nan)
        expectClose(similarity.loss(of: image, gradient: &gradient), 1 - expected, absolute: 1e-6)
        // The reference gradient is itself in single precision.
        let reference = try golden.floats("ssim/gradient_wrt_a").reshaped([3, 20, 17])
        expectClose(gradient.map { -$0 }, reference, absolute: 2e-8, relative: 1e-4)
    }

    @Test(arguments: sizes)
    func `similarity is the mean of its definition and the gradient its slope`(_ shape: [Int]) {
        var random = RandomStream(seed: 1, name: "similarity \(shape)")
        let target = Tensor.random(shape, &random)
        let image = target.map { 0.7 * $0 + 0.3 * Float(random.uniform()) }
        func reference(_ values: [Double]) -> Double {
            Reference.similarity(values, target.doubles, channels: shape[0], height: shape[1], width: shape[2])
        }
        var similarity = StructuralSimilarity(target: target)
        expectClose(similarity.similarity(of: image), reference(image.doubles), relative: 1e-12)

        var gradient = Tensor<Float>(shape: shape, repeating: .nan)
        let loss = similarity.loss(of: image, gradient: &gradient)
        #expect(loss == 1 - similarity.similarity(of: image))
        let slope = Reference.gradient(at: image.doubles, step: 1e-5, reference)
        expectClose(gradient.elements, slope.map { -$0 }, absolute: 1e-8, relative: 1e-5)
    }

    @Test func `an image is wholly similar to itself and cannot become more so`() {
        var random = RandomStream(seed: 2, name: "self")
        let image = Tensor.random([3, 9, 11], &random)
        var similarity = StructuralSimilarity(target: image)
        var gradient = Tensor<Float>(shape: image.shape, repeating: .nan)
        expectClose(similarity.loss(of: image, gradient: &gradient), 0, absolute: 1e-12)
        expectClose(gradient.elements, [Float](repeating: 0, count: image.count), absolute: 1e-12)
    }

    // MARK: Mean squared error

    @Test(arguments: sizes)
    func `the mean squared error and its gradient are those of the definition`(_ shape: [Int]) {
        var random = RandomStream(seed: 3, name: "error \(shape)")
        let image = Tensor.random(shape, &random)
        let target = Tensor.random(shape, &random)
        let differences = zip(image.doubles, target.doubles).map { $0 - $1 }
        let count = Double(image.count)
        let expected = differences.reduce(0) { $0 + $1 * $1 } / count
        var gradient = Tensor<Float>(shape: shape, repeating: .nan)
        expectClose(meanSquaredError(image, target, gradient: &gradient), expected, relative: 1e-12)
        expectClose(meanSquaredError(image, target), expected, relative: 1e-12)
        expectClose(gradient.elements, differences.map { 2 * $0 / count }, absolute: 1e-9, relative: 1e-6)
    }

    // MARK: Gradient prior

    @Test func `the gradient prior agrees with PyTorch`() throws {
        let golden = GoldenNumbers.dip
        let image = try golden.doubles("gradient_prior/image_f64").map { Float($0) }.reshaped([3, 12, 15])
        var prior = GradientPrior(height: 12, width: 15)
        var gradient = Tensor<Float>(shape: [3, 12, 15])
        let expected = try #require(try golden.attribute("value_f64", of: "gradient_prior").doubleValue)
        expectClose(prior.value(of: image, addingGradientTo: &gradient), expected, relative: 1e-6)
        // Rounding the image to single precision moves its smallest differences, and slopes there are steep.
        expectClose(
            gradient, try golden.doubles("gradient_prior/gradient_f64").reshaped([3, 12, 15]), absolute: 1e-5,
            relative: 1e-4)
    }

    @Test(arguments: [
        [1, 2, 2], [3, 2, 5], [1, 5, 2], [3, 3, 3], [1, 4, 15], [2, 7, 16], [1, 6, 17], [3, 5, 33],
    ])
    func `the gradient prior is the sum of its definition and the gradient its slope`(_ shape: [Int]) {
        var random = RandomStream(seed: 4, name: "prior \(shape)")
        let image = Tensor.random(shape, &random)
        func reference(_ values: [Double]) -> Double {
            Reference.gradientPrior(values, channels: shape[0], height: shape[1], width: shape[2])
        }
        var prior = GradientPrior(height: shape[1], width: shape[2])
        expectClose(prior.value(of: image), reference(image.doubles), relative: 1e-6)

        let before = Tensor.randomSigned(shape, &random)
        var gradient = before
        let value = prior.value(of: image, addingGradientTo: &gradient, weight: 0.25)
        #expect(value == prior.value(of: image))
        let slope = Reference.gradient(at: image.doubles, step: 1e-7, reference)
        expectClose(
            gradient.elements, zip(before.doubles, slope).map { $0 + 0.25 * $1 }, absolute: 1e-5, relative: 1e-4)
    }

    @Test func `a flat image has no gradient and almost no prior`() {
        let image = Tensor<Float>(shape: [3, 6, 5], repeating: 0.5)
        var prior = GradientPrior(height: 6, width: 5)
        var gradient = Tensor<Float>(shape: image.shape)
        expectClose(
            prior.value(of: image, addingGradientTo: &gradient), Double(4 * image.count) * pow(1e-8, 0.67),
            relative: 1e-6)
        #expect(gradient.elements.allSatisfy { $0 == 0 })
    }

    @Test func `the fast power is accurate to a millionth over the whole range of differences`() {
        let inputs = (0..<40_000).map { Float(exp2(-30 + 40 * Double($0) / 40_000)) }
        var outputs = [Float](repeating: 0, count: inputs.count)
        dkp_power_067(inputs, &outputs, inputs.count)
        expectClose(outputs, inputs.map { pow(Double($0), 0.67) }, relative: 5e-7)
    }
}
