public import Degradation
public import Tensors

/// How far a kernel reaches in each direction: its second moments about where its centre belongs, in squared pixels.
///
/// Gaussians and the evidence find it reliably whatever the blur's shape, and free kernels do not: many taps far out,
/// each hardly worth anything, explain a little of everything.
public struct KernelExtent: Sendable, Equatable {
    /// The mean squared distance in rows.
    public var rows: Double
    /// The mean product of the distances in rows and in columns.
    public var both: Double
    /// The mean squared distance in columns.
    public var columns: Double

    /// An extent with these moments.
    public init(rows: Double, both: Double, columns: Double) {
        self.rows = rows
        self.both = both
        self.columns = columns
    }

    /// The extent of a kernel `[n, n]` of sum 1 whose centre of mass belongs at `centre` on both axes.
    public init(_ kernel: Tensor<Float>, centre: Double) { self.init(kernel.map { Double($0) }, centre: centre) }

    init(_ kernel: Tensor<Double>, centre: Double) {
        self.init(rows: 0, both: 0, columns: 0)
        let size = Self.size(ofTaps: kernel.count)
        for index in 0..<kernel.count {
            let (row, column) = (Double(index / size) - centre, Double(index % size) - centre)
            rows += kernel[index] * row * row
            both += kernel[index] * row * column
            columns += kernel[index] * column * column
        }
    }

    private static func size(ofTaps count: Int) -> Int { Int(Double(count).squareRoot().rounded()) }

    /// The mean squared distance from the centre.
    public var trace: Double { rows + columns }

    /// What it has more than another in the directions in which it has more: the positive part of the difference.
    public func excess(over other: KernelExtent) -> KernelExtent {
        let (a, b, c) = (rows - other.rows, both - other.both, columns - other.columns)
        let radius = (0.25 * (a - c) * (a - c) + b * b).squareRoot()
        let mean = 0.5 * (a + c)
        let (greater, lesser) = (max(0, mean + radius), max(0, mean - radius))
        // Both have the difference's eigenvectors, so that it is a mean plus a multiple of the difference's other part.
        let factor = radius > 0 ? 0.5 * (greater - lesser) / radius : 0
        return KernelExtent(
            rows: 0.5 * (greater + lesser) + factor * (a - mean), both: factor * b,
            columns: 0.5 * (greater + lesser) + factor * (c - mean))
    }

    /// Equations whose loss is the squared distance of a kernel's extent from this one, relative to this one's trace.
    public func equations(kernelSize: Int, centre: Double) -> KernelNormalEquations {
        let taps = kernelSize * kernelSize
        let scale = 1 / max(trace, 1e-3)
        var matrix = Tensor<Double>(shape: [taps, taps])
        var vector = Tensor<Double>(shape: [taps])
        // Counted twice, as the product is in both triangles of the matrix of moments.
        let root = 2.0.squareRoot()
        let moments = (0..<taps).map { index in
            let (row, column) = (Double(index / kernelSize) - centre, Double(index % kernelSize) - centre)
            return (scale * row * row, scale * root * row * column, scale * column * column)
        }
        let wanted = (scale * rows, scale * root * both, scale * columns)
        matrix.withUnsafeMutableBufferPointer { matrix in
            for (row, left) in moments.enumerated() {
                for (column, right) in moments.enumerated() {
                    matrix[row * taps + column] = left.0 * right.0 + left.1 * right.1 + left.2 * right.2
                }
            }
        }
        for (index, moment) in moments.enumerated() {
            vector[index] = moment.0 * wanted.0 + moment.1 * wanted.1 + moment.2 * wanted.2
        }
        return KernelNormalEquations(
            kernelSize: kernelSize, matrix: matrix, vector: vector,
            constant: wanted.0 * wanted.0 + wanted.1 * wanted.1 + wanted.2 * wanted.2)
    }
}
