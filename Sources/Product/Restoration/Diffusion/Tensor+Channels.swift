import Tensors

extension Tensor where Scalar == Float {
    /// A tensor of independent standard normal numbers.
    static func standardNormal(shape: [Int], from stream: inout RandomStream) -> Tensor {
        var result = Tensor(shape: shape)
        result.withUnsafeMutableBufferPointer { values in
            for index in 0..<values.count { values[index] = Float(stream.normal()) }
        }
        return result
    }

    /// An image `[1, height, width]` as so many equal channels.
    func replicated(_ channels: Int) -> Tensor {
        let plane = elements
        return Tensor(
            shape: [channels, shape[1], shape[2]], Array((0..<channels).map { _ in plane }.joined()))
    }

    /// The mean of the channels of an image, `[1, height, width]`.
    func channelMean() -> Tensor {
        let (channels, pixels) = (shape[0], shape[1] * shape[2])
        var result = Tensor(shape: [1, shape[1], shape[2]])
        result.withUnsafeMutableBufferPointer { mean in
            withUnsafeBufferPointer { values in
                for index in 0..<pixels {
                    var sum: Float = 0
                    for channel in 0..<channels { sum += values[channel * pixels + index] }
                    mean[index] = sum / Float(channels)
                }
            }
        }
        return result
    }
}
