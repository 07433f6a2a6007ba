public import Checkpointing
public import Degradation
import Foundation
public import Tensors

/// A kernel bound to no family, as the softmax of one number for each tap, that follows a changing image by a few of
/// Adam's steps at a time (Kingma & Ba 2015).
///
/// How far a tap moves in a step does not depend on how much the image's structure says of it. Gradient steps on the kernel
/// itself are as short as the image's largest structures demand, which dominate the equations, and hardly reach the
/// fine shape in the few steps that an image lasts.
public struct SoftmaxKernel: Sendable, Equatable {
    /// How it moves.
    public struct Descent: Sendable, Codable, Equatable {
        /// Adam's learning rate.
        public var learningRate = 0.03
        /// The steps.
        public var iterations = 8
        /// The weight of the squared distance, in pixels, of the centre of mass from where it belongs, as a share of the
        /// data's loss.
        public var centroidWeight = 0.05
        /// The weight of the squared excess of the kernel's extent over the one that it is to keep to, relative to that
        /// one's trace, as a share of the data's loss.
        public var extentWeight = 4.0

        /// The defaults.
        public init() {}
    }

    /// n, the kernel's number of rows and columns.
    public let size: Int
    private var logits: Tensor<Double>
    private var firstMoments: Tensor<Double>
    private var secondMoments: Tensor<Double>
    private var steps = 0

    /// What every tap of the first kernel has at the least, so that each can grow.
    private static let leastTap = 1e-5
    private static let (firstDecay, secondDecay) = (0.9, 0.999)

    /// Begins at a kernel `[n, n]`, non-negative, of sum 1 or nearly.
    public init(_ kernel: Tensor<Float>) {
        size = kernel.shape[0]
        logits = kernel.map { log(max(Double($0), 0) + Self.leastTap) }.reshaped([kernel.count])
        firstMoments = Tensor(shape: logits.shape)
        secondMoments = Tensor(shape: logits.shape)
    }

    /// The kernel, `[n, n]`: positive, of sum 1.
    public var kernel: Tensor<Float> { softmax.map { Float($0) }.reshaped([size, size]) }

    private var softmax: Tensor<Double> {
        let greatest = logits.elements.max() ?? 0
        let powers = logits.map { exp($0 - greatest) }
        let sum = powers.elements.reduce(0, +)
        return powers.map { $0 / sum }
    }

    /// Moves the kernel towards the least of k'Ak - 2 b'k + ridge ||k||^2 + the centroid's pull + a further loss.
    ///
    /// - Parameters:
    ///   - equations: the data's say.
    ///   - ridge: the weight of ||k||^2, at least 0: the variance, per sample, of what the equations' image leaves uncertain.
    ///   - centre: where the centre of mass belongs on both axes, in kernel pixels.
    ///   - extent: how far the kernel should reach at the most.
    ///   - furtherLoss: what else is to be small, in the units of the equations.
    public mutating func descend(
        _ descent: Descent, equations: KernelNormalEquations, ridge: Double, centre: Double,
        within extent: KernelExtent? = nil, adding furtherLoss: FreeKernelEstimator.FurtherLoss? = nil
    ) {
        precondition(equations.kernelSize == size, "equations of a kernel of \(equations.kernelSize), expected \(size)")
        let loss = max(equations.loss(of: kernel), 1e-9)
        for _ in 0..<descent.iterations {
            let kernel = softmax
            var gradient = Tensor<Double>(shape: kernel.shape)
            if let furtherLoss { _ = furtherLoss(kernel, &gradient) }
            let product = equations.product(with: kernel)
            var (row, column) = (0.0, 0.0)
            for index in 0..<kernel.count {
                row += kernel[index] * (Double(index / size) - centre)
                column += kernel[index] * (Double(index % size) - centre)
            }
            let pull = 2 * descent.centroidWeight * loss
            var excess: KernelExtent?
            var push = 0.0
            if let extent {
                excess = KernelExtent(kernel, centre: centre).excess(over: extent)
                push = 2 * descent.extentWeight * loss / max(extent.trace * extent.trace, 1e-6)
            }
            var mean = 0.0
            for index in 0..<kernel.count {
                let (rows, columns) = (Double(index / size) - centre, Double(index % size) - centre)
                gradient[index] +=
                    2 * (product[index] - equations.vector[index] + ridge * kernel[index])
                    + pull * (row * rows + column * columns)
                if let excess {
                    gradient[index] +=
                        push
                        * (excess.rows * rows * rows + 2 * excess.both * rows * columns
                            + excess.columns * columns * columns)
                }
                mean += gradient[index] * kernel[index]
            }
            for index in 0..<kernel.count { gradient[index] = kernel[index] * (gradient[index] - mean) / loss }
            step(gradient, learningRate: descent.learningRate)
        }
    }

    /// One of Adam's steps.
    private mutating func step(_ gradient: Tensor<Double>, learningRate: Double) {
        steps += 1
        let firstCorrection = 1 - pow(Self.firstDecay, Double(steps))
        let secondCorrection = 1 - pow(Self.secondDecay, Double(steps))
        for index in 0..<gradient.count {
            let value = gradient[index]
            firstMoments[index] += (1 - Self.firstDecay) * (value - firstMoments[index])
            secondMoments[index] += (1 - Self.secondDecay) * (value * value - secondMoments[index])
            logits[index] -=
                learningRate * (firstMoments[index] / firstCorrection)
                / ((secondMoments[index] / secondCorrection).squareRoot() + 1e-8)
        }
    }

    /// Saves the whole state under a path.
    public func save(to snapshot: inout Snapshot, at path: String) {
        snapshot.set(path + "/logits", logits)
        snapshot.set(path + "/first_moments", firstMoments)
        snapshot.set(path + "/second_moments", secondMoments)
        snapshot.setAttribute(path + "/steps", steps)
    }

    /// The kernel saved under a path, of `size` rows; nil where none was.
    ///
    /// - Throws: `CheckpointError` for a missing or misshapen part, ``KernelPriorError`` for a value that is not finite.
    public static func restore(from snapshot: Snapshot, at path: String, size: Int) throws -> SoftmaxKernel? {
        guard snapshot.contains(path) else { return nil }
        func read(_ name: String) throws -> Tensor<Double> {
            let values = try snapshot.doubles(path + "/" + name, count: size * size)
            guard values.allSatisfy(\.isFinite) else {
                throw KernelPriorError.checkpoint(path + "/" + name, "holds a value that is not finite")
            }
            return Tensor(shape: [size * size], values)
        }
        var result = SoftmaxKernel(Tensor(shape: [size, size]))
        result.logits = try read("logits")
        result.firstMoments = try read("first_moments")
        result.secondMoments = try read("second_moments")
        result.steps = try snapshot.int(path + "/steps")
        return result
    }
}
