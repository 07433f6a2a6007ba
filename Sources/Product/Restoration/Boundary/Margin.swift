import Diffusion
import KernelPrior
package import Tensors

/// What lies around a photograph: the blur has mixed it into the pixels near the border, but nobody has seen it.
package enum Margin {
    /// The rows and columns of the low resolution, at each side, that a kernel reaches beyond the border.
    /// - Parameter kernelSize: n; nil for the kernels that are looked for at the scale.
    package static func width(scale: Int, kernelSize: Int? = nil) -> Int {
        let reach = (kernelSize ?? KernelPriorSettings.kernelSize(scale: scale)) / 2 + scale - 1
        return (reach + scale - 1) / scale
    }
}

extension Tensor<Float> {
    /// Planes `[channels, height, width]` with `margin` rows and columns more at each side, which lead from each border to
    /// the opposite one: a picture that repeats without a seam.
    package func extended(by margin: Int) -> Tensor<Float> {
        let (channels, height, width) = (shape[0], shape[1], shape[2])
        let rows = MarginAxis(count: height, margin: margin)
        let columns = MarginAxis(count: width, margin: margin)
        var wide = Tensor(shape: [channels, height, columns.length])
        for row in 0..<channels * height {
            for column in 0..<columns.length {
                wide[row * columns.length + column] = columns.value(at: column) { self[row * width + $0] }
            }
        }
        var result = Tensor(shape: [channels, rows.length, columns.length])
        for channel in 0..<channels {
            for row in 0..<rows.length {
                for column in 0..<columns.length {
                    result[(channel * rows.length + row) * columns.length + column] = rows.value(at: row) {
                        wide[(channel * height + $0) * columns.length + column]
                    }
                }
            }
        }
        return result
    }

    /// The middle of planes `[channels, height, width]`, `margin` rows and columns less at each side.
    package func inner(_ margin: Int) -> Tensor<Float> {
        window(top: margin, left: margin, height: shape[1] - 2 * margin, width: shape[2] - 2 * margin)
    }
}

/// One axis with a margin at both ends. The two are one gap of a picture that repeats; over it the reflections of both
/// ends are blended.
private struct MarginAxis {
    let count: Int
    let margin: Int
    var length: Int { count + 2 * margin }

    func value(at place: Int, _ sample: (Int) -> Float) -> Float {
        let index = place - margin
        if (0..<count).contains(index) { return sample(index) }
        // The place in the gap, counted from the end of the axis.
        let gap = index < 0 ? index + 2 * margin : index - count
        let position = (Float(gap) + 0.5) / Float(2 * margin)
        let share = position * position * (3 - 2 * position)
        let (last, first) = (sample(reflected(count - 1 - gap)), sample(reflected(2 * margin - 1 - gap)))
        return (1 - share) * last + share * first
    }

    /// An index off the ends, reflected as often as needed.
    private func reflected(_ index: Int) -> Int {
        let period = 2 * count
        let wrapped = ((index % period) + period) % period
        return wrapped < count ? wrapped : period - 1 - wrapped
    }
}
