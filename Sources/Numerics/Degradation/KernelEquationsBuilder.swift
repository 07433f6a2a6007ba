internal import CImagingKernels
public import Tensors

/// Gathers the kernel's normal equations from an image: from differences of neighbouring samples of y, which are to be
/// explained by the same differences of the image's windows, from the samples themselves, or from both.
///
/// Differences leave out what the kernel has no part in, slow changes of brightness, and their errors are nearly
/// independent of one another. Each of the two directions counts as one mean over y's samples, and so do the samples
/// themselves. The boundary is circular; give the samples whose windows reach beyond a real border the weight 0.
public struct KernelEquationsBuilder: Sendable {
    /// What is to be explained.
    public enum Domain: String, Sendable, Codable, CaseIterable {
        /// Differences to the next row and to the next column.
        case gradients
        /// The samples themselves.
        case intensities
        /// Both.
        case both
    }

    private let observed: Tensor<Float>
    private let scale: Int
    private let kernelSize: Int
    private let domain: Domain
    /// The weight of each value that is explained; nil where all count alike.
    private let weights: Tensor<Float>?
    /// What is explained, `[planes, h, w]`.
    private let targets: Tensor<Float>
    private var planes: Tensor<Float>
    private var form: KernelQuadratic?
    private var scratch: Tensor<Float>

    /// - Parameters:
    ///   - observed: y, `[channels, h, w]`.
    ///   - scale: s, 1...8.
    ///   - kernelSize: n, odd.
    ///   - weights: how much each sample counts, `[h, w]`, at least 0; a difference counts as the product of its two.
    public init(
        observed: Tensor<Float>, scale: Int, kernelSize: Int, domain: Domain = .gradients,
        weights: Tensor<Float>? = nil
    ) {
        precondition(
            observed.shape.count == 3, "an image of shape \(observed.shape), expected [channels, rows, columns]")
        let (channels, rows, columns) = (observed.shape[0], observed.shape[1], observed.shape[2])
        precondition(
            weights.map { $0.shape == [rows, columns] } ?? true, "weights must be one for each of \(rows) x \(columns)")
        self.observed = observed
        self.scale = scale
        self.kernelSize = kernelSize
        self.domain = domain
        let count = domain.planeFactor * channels
        var targets = Tensor<Float>(shape: [count, rows, columns])
        domain.fill(&targets, from: observed, step: 1) { $1 - $0 }
        self.targets = targets
        planes = Tensor(shape: [count, scale * rows, scale * columns])
        if let weights {
            var planeWeights = Tensor<Float>(shape: targets.shape)
            let one = weights.reshaped([1, rows, columns])
            let all = Tensor(shape: observed.shape, (0..<channels).flatMap { _ in one.elements })
            domain.fill(&planeWeights, from: all, step: 1) { $0 * $1 }
            self.weights = planeWeights
            var geometry = Self.geometry(of: planes, scale: scale, kernelSize: kernelSize)
            scratch = Tensor(shape: [dkp_weighted_gram_scratch(&geometry)])
        } else {
            self.weights = nil
            scratch = Tensor(shape: [0])
            form = KernelQuadratic(
                scale: scale, kernelSize: kernelSize, height: scale * rows, width: scale * columns, channels: count)
        }
    }

    /// The equations of an image `[channels, s h, s w]`.
    public mutating func equations(of image: Tensor<Float>) -> KernelNormalEquations {
        precondition(
            image.shape == [observed.shape[0], scale * observed.shape[1], scale * observed.shape[2]],
            "an image of shape \(image.shape) for an input of shape \(observed.shape) at scale \(scale)")
        domain.fill(&planes, from: image, step: scale) { $1 - $0 }
        var result: KernelNormalEquations
        if let weights {
            result = weightedEquations(weights)
        } else {
            form?.update(image: planes, observed: targets)
            result = form?.equations ?? KernelNormalEquations(kernelSize: kernelSize)
        }
        // The form's mean is over all planes; a direction is to count as one mean by itself.
        result.scale(by: Double(domain.planeFactor))
        return result
    }

    private mutating func weightedEquations(_ weights: Tensor<Float>) -> KernelNormalEquations {
        let taps = kernelSize * kernelSize
        var geometry = Self.geometry(of: planes, scale: scale, kernelSize: kernelSize)
        var gram = Tensor<Double>(shape: [taps + 1, taps + 1])
        withMutableElements(&scratch) { scratch in
            withMutableElements(&gram) { gram in
                withElements(planes) { planes in
                    withElements(targets) { targets in
                        withElements(weights) { dkp_weighted_gram(&geometry, planes, targets, $0, gram, scratch) }
                    }
                }
            }
        }
        let total = weights.withUnsafeBufferPointer { $0.reduce(0.0) { $0 + Double($1) } }
        let factor = total > 0 ? 1 / total : 0
        var matrix = Tensor<Double>(shape: [taps, taps])
        var vector = Tensor<Double>(shape: [taps])
        for row in 0..<taps {
            for column in 0..<taps { matrix[row * taps + column] = factor * gram[row * (taps + 1) + column] }
            vector[row] = factor * gram[row * (taps + 1) + taps]
        }
        return KernelNormalEquations(
            kernelSize: kernelSize, matrix: matrix, vector: vector, constant: factor * gram[gram.count - 1])
    }

    private static func geometry(of planes: Tensor<Float>, scale: Int, kernelSize: Int) -> dkp_degradation_shape {
        DegradationShape(scale: scale, kernelSize: kernelSize, height: planes.shape[1], width: planes.shape[2])
            .kernels(channels: planes.shape[0])
    }
}

extension KernelEquationsBuilder.Domain {
    /// How many planes each channel gives.
    fileprivate var planeFactor: Int {
        switch self {
        case .gradients: 2
        case .intensities: 1
        case .both: 3
        }
    }

    /// Fills `planes` from an image of the same size: a function of each value and the one `step` rows below, then of
    /// each and the one `step` columns to the right, around the border; then the values themselves.
    fileprivate func fill(
        _ planes: inout Tensor<Float>, from image: Tensor<Float>, step: Int, _ function: (Float, Float) -> Float
    ) {
        let (channels, rows, columns) = (image.shape[0], image.shape[1], image.shape[2])
        let count = image.count
        planes.withUnsafeMutableBufferPointer { planes in
            image.withUnsafeBufferPointer { image in
                var base = 0
                if self != .intensities {
                    for line in 0..<(channels * rows) {
                        let (channel, row) = (line / rows, line % rows)
                        let below = (channel * rows + (row + step) % rows) * columns
                        for column in 0..<columns {
                            let index = line * columns + column
                            planes[index] = function(image[index], image[below + column])
                            planes[count + index] = function(
                                image[index], image[line * columns + (column + step) % columns])
                        }
                    }
                    base = 2 * count
                }
                if self != .gradients { for index in 0..<count { planes[base + index] = image[index] } }
            }
        }
    }
}
