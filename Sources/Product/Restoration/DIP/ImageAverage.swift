import Tensors

/// The running mean of the image network's last outputs, which overfits less than any one of them.
struct ImageAverage {
    /// The sum of the images added so far.
    var sum: Tensor<Float>
    /// How many there are.
    var count: Int
    /// The sum of their losses.
    var lossSum = 0.0

    init(shape: [Int]) {
        sum = Tensor(shape: shape)
        count = 0
    }

    mutating func add(_ image: Tensor<Float>, loss: Double) {
        sum.withUnsafeMutableBufferPointer { sum in
            image.withUnsafeBufferPointer { image in
                for index in 0..<sum.count { sum[index] += image[index] }
            }
        }
        count += 1
        lossSum += loss
    }

    /// The mean; nil before the first image.
    var image: Tensor<Float>? {
        guard count > 0 else { return nil }
        let factor = 1 / Float(count)
        return sum.map { $0 * factor }
    }
}
