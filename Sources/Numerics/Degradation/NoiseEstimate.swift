internal import CImagingKernels
public import Tensors

/// The standard deviation of white noise in an image, from the image alone (Chen, Zhu & Heng, "An efficient statistical
/// method for image noise level estimation", 2015).
///
/// The covariance of small patches has a few large eigenvalues, which are the picture, and many small and equal ones, which
/// are the noise: the largest are dropped until as many lie above their mean as below. In a colour image a patch holds
/// all channels, as their details agree and their noise does not; otherwise the fine texture of a small image, folded by
/// decimation, passes for noise. The smaller of two estimates counts: from all patches, and from the flattest 30 %.
public enum NoiseEstimate {
    /// The noise, in the units of `image` `[channels, h, w]`; never below 0, and 0 where the image is too small to tell.
    public static func standardDeviation(of image: Tensor<Float>) -> Double {
        let isColour = image.shape[0] > 1
        let all = patches(of: image, side: isColour ? 5 : 8)
        let small = isColour ? patches(of: image, side: 4) : all
        let estimates = [standardDeviation(of: all), standardDeviation(of: small?.flattest(share: 0.3))].compactMap {
            $0
        }
        return estimates.min() ?? 0
    }

    /// No more patches than this are looked at, evenly spread: they are plenty.
    private static let mostPatches = 60_000

    private struct Patches {
        /// `[count, size]`.
        var values: [Double]
        let count: Int
        /// Values of one patch, and of one channel in it.
        let size: Int
        let area: Int

        /// The patches that vary least within their channels; all where so few would be too few for a covariance.
        func flattest(share: Double) -> Patches {
            let kept = min(max(Int(share * Double(count)), 4 * size), count)
            let variations = (0..<count).map { patch in
                stride(from: 0, to: size, by: area).reduce(0.0) { total, channel in
                    let own = values[(patch * size + channel)..<(patch * size + channel + area)]
                    let mean = own.reduce(0, +) / Double(area)
                    return total + own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                }
            }
            let order = (0..<count).sorted { (variations[$0], $0) < (variations[$1], $1) }.prefix(kept)
            return Patches(
                values: order.flatMap { values[($0 * size)..<(($0 + 1) * size)] }, count: kept, size: size, area: area)
        }
    }

    private static func patches(of image: Tensor<Float>, side: Int) -> Patches? {
        let (channels, rows, columns) = (image.shape[0], image.shape[1], image.shape[2])
        let size = channels * side * side
        let (down, right) = (rows - side + 1, columns - side + 1)
        guard down > 0, right > 0, down * right >= 4 * size else { return nil }
        let step = max(1, down * right / mostPatches)
        var values: [Double] = []
        var count = 0
        for position in stride(from: 0, to: down * right, by: step) {
            let (top, left) = (position / right, position % right)
            for channel in 0..<channels {
                for row in 0..<side {
                    let first = (channel * rows + top + row) * columns + left
                    for index in first..<(first + side) { values.append(Double(image[index])) }
                }
            }
            count += 1
        }
        return Patches(values: values, count: count, size: size, area: side * side)
    }

    private static func standardDeviation(of patches: Patches?) -> Double? {
        guard var patches else { return nil }
        let size = patches.size
        var covariance = [Double](repeating: 0, count: size * size)
        var eigenvalues = [Double](repeating: 0, count: size)
        patches.values.withUnsafeMutableBufferPointer { values in
            covariance.withUnsafeMutableBufferPointer { covariance in
                eigenvalues.withUnsafeMutableBufferPointer { eigenvalues in
                    guard let values = values.baseAddress, let covariance = covariance.baseAddress,
                        let eigenvalues = eigenvalues.baseAddress
                    else { return }
                    dkp_covariance(values, patches.count, size, covariance)
                    dkp_symmetric_eigenvalues(covariance, size, eigenvalues)
                }
            }
        }
        let sorted = eigenvalues.sorted(by: >)
        for first in sorted.indices {
            let rest = sorted[first...]
            let mean = rest.reduce(0, +) / Double(rest.count)
            if rest.count(where: { $0 > mean }) >= rest.count(where: { $0 < mean }) { return max(mean, 0).squareRoot() }
        }
        return 0
    }
}
