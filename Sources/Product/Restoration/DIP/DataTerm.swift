import Degradation
import KernelPrior
import Tensors

/// How well an image and a kernel explain the input, with the image's prior, and the gradients of that.
struct DataTerm {
    /// What ``evaluate(image:kernel:usesSimilarity:imageGradient:kernelGradient:)`` gives.
    struct Losses {
        /// What the image network minimises: the data term plus the weighted prior.
        var total: Double
        /// The mean squared error of the blurred image, whatever the data term is.
        var meanSquaredError: Double
    }

    let observed: Tensor<Float>
    private let squaredErrorWeight: Double
    private let gradientPriorWeight: Double
    private var degradation: DegradationOperator
    private var similarity: StructuralSimilarity
    private var prior: GradientPrior
    private var form: KernelQuadratic
    private var blurred: Tensor<Float>
    private var residual: Tensor<Float>

    /// - Parameters:
    ///   - observed: y, `[channels, height, width]`.
    ///   - squaredErrorWeight: the weight of the mean squared error beside 1 - SSIM.
    ///   - gradientPriorWeight: the weight of the gradient prior per value of y.
    init(
        observed: Tensor<Float>, scale: Int, kernelSize: Int, squaredErrorWeight: Double, gradientPriorWeight: Double
    ) {
        self.observed = observed
        let height = observed.shape[1] * scale
        let width = observed.shape[2] * scale
        degradation = DegradationOperator(scale: scale, kernelSize: kernelSize, height: height, width: width)
        similarity = StructuralSimilarity(target: observed)
        prior = GradientPrior(height: height, width: width)
        form = KernelQuadratic(
            scale: scale, kernelSize: kernelSize, height: height, width: width, channels: observed.shape[0])
        blurred = Tensor(shape: observed.shape)
        residual = Tensor(shape: observed.shape)
        self.squaredErrorWeight = squaredErrorWeight
        self.gradientPriorWeight = gradientPriorWeight / Double(observed.count)
    }

    /// The losses of an image under a kernel; the gradients are overwritten. The prior's is in the image's alone.
    mutating func evaluate(
        image: Tensor<Float>, kernel: Tensor<Float>, usesSimilarity: Bool, imageGradient: inout Tensor<Float>,
        kernelGradient: inout Tensor<Float>
    ) -> Losses {
        degradation.apply(image: image, kernel: kernel, into: &blurred)
        let squaredError = meanSquaredError(blurred, observed, gradient: &residual)
        var data = squaredError
        if usesSimilarity {
            data = similarity.loss(of: blurred, gradient: &residual) + squaredErrorWeight * squaredError
            addSquaredError()
        }
        degradation.adjointImage(residual: residual, kernel: kernel, into: &imageGradient)
        degradation.adjointKernel(residual: residual, image: image, into: &kernelGradient)
        let roughness = prior.value(of: image, addingGradientTo: &imageGradient, weight: gradientPriorWeight)
        return Losses(total: data + gradientPriorWeight * roughness, meanSquaredError: squaredError)
    }

    /// Adds the gradient of the weighted mean squared error to the residual.
    private mutating func addSquaredError() {
        guard squaredErrorWeight > 0 else { return }
        let factor = Float(2 * squaredErrorWeight / Double(observed.count))
        residual.withUnsafeMutableBufferPointer { residual in
            blurred.withUnsafeBufferPointer { blurred in
                observed.withUnsafeBufferPointer { observed in
                    for index in 0..<residual.count { residual[index] += factor * (blurred[index] - observed[index]) }
                }
            }
        }
    }

    /// The squared error of the input as a function of the kernel alone, for the present image.
    mutating func quadratic(of image: Tensor<Float>) -> KernelQuadratic {
        form.update(image: image, observed: observed)
        return form
    }
}
