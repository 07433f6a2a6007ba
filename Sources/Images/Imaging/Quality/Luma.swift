public import Tensors

/// The luma of an image, as MATLAB's rgb2ycbcr has it: Y = 16 + (65.481 R + 128.553 G + 24.966 B) with R, G, B in [0, 1].
///
/// - Parameter colour: planes `[1 or 3, height, width]` in [0, 1]; a single plane counts as R = G = B.
/// - Returns: `[height, width]`, 16 for black to 235 for white, not rounded.
public func luma(of colour: Tensor<Float>) -> Tensor<Double> {
    precondition(
        colour.shape.count == 3 && (colour.shape[0] == 1 || colour.shape[0] == 3),
        "luma is defined for planes [1 or 3, height, width], not \(colour.shape)")
    let (height, width) = (colour.shape[1], colour.shape[2])
    let plane = height * width
    // Offsets of the red, green and blue planes: all the same one for gray.
    let step = colour.shape[0] == 3 ? plane : 0
    var result = Tensor<Double>(shape: [height, width])
    result.withUnsafeMutableBufferPointer { result in
        colour.withUnsafeBufferPointer { colour in
            for index in 0..<plane {
                let red = Double(colour[index])
                let green = Double(colour[index + step])
                let blue = Double(colour[index + 2 * step])
                result[index] = 16 + 65.481 * red + 128.553 * green + 24.966 * blue
            }
        }
    }
    return result
}

extension Tensor<Float> {
    /// The samples as an 8-bit file would hold them: clamped to [0, 1] and rounded to the nearest multiple of 1/255.
    public func roundedToEightBits() -> Tensor<Float> {
        map { value in
            // As the PNG writer does it: halves up, NaN to 0.
            let clamped = value > 0 ? Swift.min(Double(value), 1) : 0
            return Float(clamped * 255 + 0.5).rounded(.down) / 255
        }
    }
}
