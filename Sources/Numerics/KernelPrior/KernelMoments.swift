import Foundation
public import Tensors

/// The first and second moments of a kernel `[rows, columns]` of positive sum.
public struct KernelMoments: Sendable, Equatable {
    /// The centre of mass, in rows from the first.
    public let row: Double
    /// The centre of mass, in columns from the first.
    public let column: Double
    /// The variance along the main axis, in squared pixels.
    public let major: Double
    /// The variance across the main axis, in squared pixels.
    public let minor: Double
    /// The main axis's angle in [0, pi), from the columns' axis towards the rows'.
    public let angle: Double

    /// The moments of a kernel; those of a kernel of sum zero are not numbers.
    public init(_ kernel: Tensor<Float>) {
        precondition(kernel.shape.count == 2, "a kernel has two axes, not the shape \(kernel.shape)")
        let columns = kernel.shape[1]
        var sum = 0.0
        var x = 0.0
        var y = 0.0
        var xx = 0.0
        var xy = 0.0
        var yy = 0.0
        kernel.withUnsafeBufferPointer { kernel in
            for index in 0..<kernel.count {
                let value = Double(kernel[index])
                let i = Double(index / columns)
                let j = Double(index % columns)
                sum += value
                x += value * j
                y += value * i
                xx += value * j * j
                xy += value * i * j
                yy += value * i * i
            }
        }
        x /= sum
        y /= sum
        xx = xx / sum - x * x
        xy = xy / sum - x * y
        yy = yy / sum - y * y
        let middle = 0.5 * (xx + yy)
        let radius = (0.25 * (xx - yy) * (xx - yy) + xy * xy).squareRoot()
        let angle = 0.5 * atan2(2 * xy, xx - yy)
        row = y
        column = x
        major = middle + radius
        minor = middle - radius
        self.angle = angle < 0 ? angle + .pi : angle
    }
}

/// A penalty on a kernel whose centre of mass strays: shift is an ambiguity of the problem.
public enum CentroidPenalty {
    /// (row - centre)^2 + (column - centre)^2 of the centre of mass of a kernel of sum 1, in squared pixels, and its
    /// gradient with respect to the kernel, of the kernel's shape.
    public static func value(
        of kernel: Tensor<Float>, centre: Double
    ) -> (value: Double, gradient: Tensor<Float>) {
        let moments = KernelMoments(kernel)
        let row = moments.row - centre
        let column = moments.column - centre
        var gradient = Tensor<Float>(shape: kernel.shape)
        let columns = kernel.shape[1]
        gradient.withUnsafeMutableBufferPointer { gradient in
            for index in 0..<gradient.count {
                let i = Double(index / columns) - centre
                let j = Double(index % columns) - centre
                gradient[index] = Float(2 * (row * i + column * j))
            }
        }
        return (row * row + column * column, gradient)
    }
}
