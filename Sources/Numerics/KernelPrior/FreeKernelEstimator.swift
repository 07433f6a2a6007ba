public import Degradation
public import Tensors

/// Finds the kernel that explains the data best with a given image, among all kernels: bound to no family, only
/// non-negative and of sum 1.
///
/// It minimises k'Ak - 2 b'k + ridge ||k||^2 + the centroid's penalty by accelerated projected gradient (Beck & Teboulle
/// 2009, restarted where it overshoots: O'Donoghue & Candes 2015), in double precision and in one order: the same
/// arguments give the same kernel to the bit.
public struct FreeKernelEstimator: Sendable, Codable, Equatable {
    /// The steps of one refinement.
    public var iterations = 50
    /// The weight of the squared distance, in pixels, of the centre of mass from where it belongs, as a share of the loss
    /// of the kernel that refinement starts from.
    public var centroidWeight = 0.01

    /// The defaults.
    public init() {}

    /// A further loss of a kernel `[n, n]`: its value, its gradient added to the second argument.
    public typealias FurtherLoss = (_ kernel: Tensor<Double>, _ gradient: inout Tensor<Double>) -> Double

    /// A kernel `[n, n]` nearer to the optimum.
    ///
    /// - Parameters:
    ///   - kernel: where to start, `[n, n]`; it need not have sum 1.
    ///   - equations: the data's say.
    ///   - ridge: the weight of ||k||^2, at least 0: the variance, per sample, of what the equations' image leaves uncertain.
    ///   - centre: where the centre of mass belongs on both axes, in kernel pixels.
    ///   - furtherLoss: what else is to be small, in the units of the equations.
    public func refine(
        from kernel: Tensor<Float>, equations: KernelNormalEquations, ridge: Double, centre: Double,
        adding furtherLoss: FurtherLoss? = nil
    ) -> Tensor<Float> {
        let size = equations.kernelSize
        let start = Simplex.projected(kernel.map { Double($0) }.reshaped([size * size]))
        let loss = max(equations.loss(of: start.reshaped([size, size]).map { Float($0) }), 1e-8)
        let penalty = CentroidOffsetPenalty(size: size, centre: centre, weight: centroidWeight * loss)
        let objective = Objective(equations: equations, ridge: ridge, penalty: penalty, furtherLoss: furtherLoss)

        var step = 1 / (1.02 * Self.greatestEigenvalue(of: equations, penalty: penalty) + ridge)
        var present = start
        var ahead = start
        var momentum = 1.0
        for _ in 0..<iterations {
            let (value, gradient) = objective.half(at: ahead)
            var next = ahead
            for attempt in 0..<20 {
                let length = step
                next = ahead
                next.update(with: gradient, gradient) { _, value, slope, _ in value - length * slope }
                next = Simplex.projected(next)
                // The quadratic part's step is short enough by construction; the rest has to show that it is.
                guard furtherLoss != nil, attempt < 19 else { break }
                var bound = value
                for index in 0..<next.count {
                    let move = next[index] - ahead[index]
                    bound += move * (gradient[index] + 0.5 * move / step)
                }
                if objective.half(at: next).value <= bound { break }
                step *= 0.5
            }
            var overshoot = 0.0
            for index in 0..<next.count { overshoot += (ahead[index] - next[index]) * (next[index] - present[index]) }
            if overshoot > 0 { momentum = 1 }
            let following = (1 + (1 + 4 * momentum * momentum).squareRoot()) / 2
            let carry = (momentum - 1) / following
            ahead = next
            ahead.update(with: present, present) { _, value, last, _ in value + carry * (value - last) }
            present = next
            momentum = following
        }
        return present.reshaped([size, size]).map { Float($0) }
    }

    /// The greatest eigenvalue of A plus the centroid's penalty, from below to within a few hundredths: by power iteration
    /// from the all-ones vector, which is near the eigenvector as neighbouring taps are alike.
    private static func greatestEigenvalue(of equations: KernelNormalEquations, penalty: CentroidOffsetPenalty)
        -> Double
    {
        let taps = equations.vector.count
        var vector = Tensor<Double>(shape: [taps], repeating: 1 / Double(taps).squareRoot())
        var value = 0.0
        for _ in 0..<30 {
            var product = equations.product(with: vector)
            var (row, column) = (0.0, 0.0)
            for index in 0..<taps {
                row += vector[index] * penalty.rows[index]
                column += vector[index] * penalty.columns[index]
            }
            product.update(with: vector, vector) { index, product, _, _ in
                product + penalty.weight * (row * penalty.rows[index] + column * penalty.columns[index])
            }
            value = product.elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
            guard value > 0 else { return 1 }
            vector = product.map { $0 / value }
        }
        return value
    }
}

/// What is minimised, halved, so that the quadratic part's gradient is Ak - b.
private struct Objective {
    let equations: KernelNormalEquations
    let ridge: Double
    let penalty: CentroidOffsetPenalty
    let furtherLoss: FreeKernelEstimator.FurtherLoss?

    func half(at point: Tensor<Double>) -> (value: Double, gradient: Tensor<Double>) {
        var gradient = equations.product(with: point)
        let (row, column) = penalty.offset(of: point)
        var value = 0.5 * (equations.constant + penalty.weight * (row * row + column * column))
        for index in 0..<point.count {
            value += point[index] * (0.5 * (gradient[index] + ridge * point[index]) - equations.vector[index])
        }
        gradient.update(with: point, equations.vector) { index, product, value, target in
            product - target + ridge * value + penalty.weight
                * (row * penalty.rows[index] + column * penalty.columns[index])
        }
        guard let furtherLoss else { return (value, gradient) }
        var further = Tensor<Double>(shape: point.shape)
        value += 0.5 * furtherLoss(point, &further)
        gradient.update(with: further, further) { _, own, other, _ in own + 0.5 * other }
        return (value, gradient)
    }
}

/// A penalty on a kernel whose centre of mass is not where it belongs: weight times the squared offset.
private struct CentroidOffsetPenalty {
    let weight: Double
    /// Each tap's distance from the centre, in rows and in columns.
    let rows: [Double]
    let columns: [Double]

    init(size: Int, centre: Double, weight: Double) {
        self.weight = weight
        rows = (0..<(size * size)).map { Double($0 / size) - centre }
        columns = (0..<(size * size)).map { Double($0 % size) - centre }
    }

    /// How far the centre of mass of a kernel of sum 1 is off.
    func offset(of kernel: Tensor<Double>) -> (row: Double, column: Double) {
        var (row, column) = (0.0, 0.0)
        for index in 0..<kernel.count {
            row += kernel[index] * rows[index]
            column += kernel[index] * columns[index]
        }
        return (row, column)
    }
}

extension Tensor<Double> {
    /// Replaces each element by a function of its index, itself and its counterparts.
    fileprivate mutating func update(
        with first: Tensor, _ second: Tensor, _ function: (Int, Double, Double, Double) -> Double
    ) {
        withUnsafeMutableBufferPointer { own in
            first.withUnsafeBufferPointer { first in
                second.withUnsafeBufferPointer { second in
                    for index in 0..<own.count { own[index] = function(index, own[index], first[index], second[index]) }
                }
            }
        }
    }
}
