import Tensors

/// Kernels are points of the simplex: non-negative, of sum 1.
enum Simplex {
    /// The nearest such point, in the Euclidean sense (Held, Wolfe & Crowder 1974).
    static func projected(_ point: Tensor<Double>) -> Tensor<Double> {
        var sum = 0.0
        var threshold = 0.0
        for (index, value) in point.elements.sorted(by: >).enumerated() {
            sum += value
            let candidate = (sum - 1) / Double(index + 1)
            guard value > candidate else { break }
            threshold = candidate
        }
        return point.map { max($0 - threshold, 0) }
    }
}
