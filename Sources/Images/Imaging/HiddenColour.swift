import Tensors

extension Image {
    /// The image with the colours that its alpha plane hides replaced by ones spread from the visible: what nobody can
    /// see must have no effect on what they can. Visible pixels keep their colours exactly, a picture without alpha all.
    ///
    /// Pixels of less opacity than 1/16 take the part of their colour that is wanting from around them, fully transparent
    /// ones all of it; where nothing at all is visible, they are black.
    public func fillingHiddenColour() -> Image {
        guard let alpha, alpha.withUnsafeBufferPointer({ $0.contains { $0 < Self.leastVisible } }) else { return self }
        let weights = alpha.reshaped([1, height, width])
        let filled = Self.spread(Self.multiplied(colour, weights), weights)
        var result = colour
        let pixels = height * width
        result.withUnsafeMutableBufferPointer { target in
            filled.withUnsafeBufferPointer { filled in
                alpha.withUnsafeBufferPointer { alpha in
                    for index in 0..<target.count where alpha[index % pixels] < Self.leastVisible {
                        let share = Swift.max(alpha[index % pixels], 0) / Self.leastVisible
                        target[index] = share * target[index] + (1 - share) * filled[index]
                    }
                }
            }
        }
        var image = Image(colour: result, alpha: alpha, bitDepth: bitDepth, metadata: metadata)
        image.warnings = warnings
        return image
    }

    private static let leastVisible: Float = 1.0 / 16

    /// Colours for every pixel from weighted ones: each pixel's own where it has weight enough, else those of the same
    /// picture at half the size.
    private static func spread(_ weighted: Tensor<Float>, _ weights: Tensor<Float>) -> Tensor<Float> {
        let (height, width) = (weights.shape[1], weights.shape[2])
        var result = weighted
        let pixels = height * width
        let isCovered = weights.withUnsafeBufferPointer { $0.allSatisfy { $0 >= leastVisible } }
        var coarse: Tensor<Float>?
        if !isCovered, height > 1 || width > 1 {
            let half = ((height + 1) / 2, (width + 1) / 2)
            coarse = spread(
                weighted.resampledArea(height: half.0, width: half.1),
                weights.resampledArea(height: half.0, width: half.1)
            ).resampledBicubic(height: height, width: width)
        }
        result.withUnsafeMutableBufferPointer { result in
            weights.withUnsafeBufferPointer { weights in
                for index in 0..<result.count {
                    let weight = weights[index % pixels]
                    let own = weight > 0 ? result[index] / weight : 0
                    let share = coarse == nil ? 1 : Swift.min(1, Swift.max(weight, 0) / leastVisible)
                    let value = share * own + (1 - share) * (coarse?[index] ?? 0)
                    result[index] = Swift.min(Swift.max(value, 0), 1)
                }
            }
        }
        return result
    }

    private static func multiplied(_ planes: Tensor<Float>, _ weights: Tensor<Float>) -> Tensor<Float> {
        var result = planes
        result.withUnsafeMutableBufferPointer { result in
            weights.withUnsafeBufferPointer { weights in
                for index in 0..<result.count { result[index] *= weights[index % weights.count] }
            }
        }
        return result
    }
}
