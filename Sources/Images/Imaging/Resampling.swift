public import Tensors

extension Tensor<Float> {
    /// Enlarges planes by cubic convolution (Keys 1981, a = -0.5) on the same pixel grid: the image's outer edges stay where
    /// they are, so the centre of output pixel i lies at (i + 0.5) size / newSize - 0.5 of the input. Beyond the edge, the
    /// edge pixel is repeated.
    ///
    /// - Parameters:
    ///   - height: rows of the result, at least 1.
    ///   - width: columns of the result, at least 1.
    /// - Returns: planes with the last two axes replaced; values may overshoot those of the input. There is no filter
    ///   against aliasing: this is not for reducing.
    public func resampledBicubic(height: Int, width: Int) -> Tensor<Float> {
        resampled(height: height, width: width) { outputs, inputs in
            let ratio = Double(inputs) / Double(outputs)
            return (0..<outputs).map { index in
                let centre = (Double(index) + 0.5) * ratio - 0.5
                let first = Int(centre.rounded(.down)) - 1
                return Taps(first: first, weights: (0..<4).map { Float(keys(centre - Double(first + $0))) })
            }
        }
    }

    /// Resamples planes by repeating the nearest pixel.
    func resampledNearest(height: Int, width: Int) -> Tensor<Float> {
        resampled(height: height, width: width) { outputs, inputs in
            (0..<outputs).map { Taps(first: (2 * $0 + 1) * inputs / (2 * outputs), weights: [1]) }
        }
    }

    /// Reduces planes by averaging over the area of every new pixel.
    func resampledArea(height: Int, width: Int) -> Tensor<Float> {
        resampled(height: height, width: width) { outputs, inputs in
            let ratio = Double(inputs) / Double(outputs)
            return (0..<outputs).map { index in
                let (begin, end) = (Double(index) * ratio, Double(index + 1) * ratio)
                let first = Int(begin)
                let last = Swift.max(first, Swift.min(Int(end.rounded(.up)), inputs) - 1)
                let covered = (first...last).map { Swift.min(end, Double($0 + 1)) - Swift.max(begin, Double($0)) }
                return Taps(first: first, weights: covered.map { Float($0 / ratio) })
            }
        }
    }

    /// A separable filter with weights of its own at every output; inputs beyond the edge are those at the edge.
    private func resampled(
        height: Int, width: Int, _ taps: (_ outputs: Int, _ inputs: Int) -> [Taps]
    ) -> Tensor<Float> {
        precondition(
            shape.count >= 2 && count > 0 && height > 0 && width > 0,
            "cannot resample shape \(shape) to \(height) x \(width)")
        let (oldHeight, oldWidth) = (shape[shape.count - 2], shape[shape.count - 1])
        let planes = count / (oldHeight * oldWidth)
        let columnTaps = taps(width, oldWidth)
        let rowTaps = taps(height, oldHeight)
        var rows = [Float](repeating: 0, count: oldHeight * width)
        var result = Tensor<Float>(shape: Array(shape.dropLast(2)) + [height, width])
        withUnsafeBufferPointer { source in
            result.withUnsafeMutableBufferPointer { target in
                rows.withUnsafeMutableBufferPointer { rows in
                    for plane in 0..<planes {
                        for x in 0..<width {
                            for (tap, weight) in columnTaps[x].weights.enumerated() {
                                let column = Swift.min(Swift.max(columnTaps[x].first + tap, 0), oldWidth - 1)
                                let base = plane * oldHeight * oldWidth + column
                                for y in 0..<oldHeight {
                                    let share = weight * source[base + y * oldWidth]
                                    rows[y * width + x] = tap == 0 ? share : rows[y * width + x] + share
                                }
                            }
                        }
                        for y in 0..<height {
                            let base = (plane * height + y) * width
                            for (tap, weight) in rowTaps[y].weights.enumerated() {
                                let row = Swift.min(Swift.max(rowTaps[y].first + tap, 0), oldHeight - 1) * width
                                for x in 0..<width { target[base + x] += weight * rows[row + x] }
                            }
                        }
                    }
                }
            }
        }
        return result
    }
}

extension Image {
    /// The image enlarged by cubic convolution on the same pixel grid, alpha included, clamped to [0, 1]; see the method of
    /// the same name of `Tensor`. The metadata stays as it is.
    public func resampledBicubic(height: Int, width: Int) -> Image {
        func clamped(_ planes: Tensor<Float>) -> Tensor<Float> { planes.map { min(max($0, 0), 1) } }
        return Image(
            colour: clamped(colour.resampledBicubic(height: height, width: width)),
            alpha: alpha.map { clamped($0.resampledBicubic(height: height, width: width)) }, bitDepth: bitDepth,
            metadata: metadata)
    }
}

/// What one output takes from a run of inputs that begins at `first`.
private struct Taps {
    let first: Int
    let weights: [Float]
}

/// Keys' cubic convolution kernel with a = -0.5.
private func keys(_ distance: Double) -> Double {
    let t = abs(distance)
    if t < 1 { return (1.5 * t - 2.5) * t * t + 1 }
    if t < 2 { return ((-0.5 * t + 2.5) * t - 4) * t + 2 }
    return 0
}
