import Degradation
import Foundation
import TestSupport
import Tensors
import Testing

@Suite struct DataConsistencyTests {
    /// The method's kernel sizes at scales 2, 3, 4 and 8, odd and even sizes, square and not, with kernels larger than the
    /// image among them.
    static let sizes = [
        ProblemSize(2, 11, 9, 17, 3), ProblemSize(2, 11, 16, 16, 1), ProblemSize(3, 15, 7, 10, 3),
        ProblemSize(3, 15, 13, 5, 1), ProblemSize(4, 19, 11, 8, 3), ProblemSize(4, 19, 3, 15, 1),
        ProblemSize(8, 21, 5, 7, 3), ProblemSize(8, 21, 1, 1, 1), ProblemSize(8, 21, 2, 9, 1),
    ]
    static let weights = [1e-4, 1e-2, 1]

    private struct Problem {
        var size: ProblemSize
        var image: Tensor<Float>
        var observed: Tensor<Float>
        var kernel: Tensor<Float>

        init(_ size: ProblemSize) {
            self.size = size
            var random = RandomStream(seed: 11, name: "data consistency")
            image = size.image(&random)
            observed = size.observed(&random)
            kernel = size.kernel(&random)
        }

        /// H'H v + alpha v, in double precision.
        func apply(_ vector: [Double], _ alpha: Double) -> [Double] {
            var result = adjoint(forward(vector))
            for index in result.indices { result[index] += alpha * vector[index] }
            return result
        }

        /// H'y + alpha x0.
        func rightSide(_ alpha: Double) -> [Double] {
            var result = adjoint(observed.doubles)
            for (index, value) in image.doubles.enumerated() { result[index] += alpha * value }
            return result
        }

        private func forward(_ vector: [Double]) -> [Double] { products(vector, count: size.lowCount, toLow: true) }
        private func adjoint(_ vector: [Double]) -> [Double] { products(vector, count: size.highCount, toLow: false) }

        /// Equation 1 term by term, or its transpose.
        private func products(_ vector: [Double], count: Int, toLow: Bool) -> [Double] {
            var result = [Double](repeating: 0, count: count)
            let taps = kernel.doubles
            Reference.forEachProduct(size) { low, high, tap in
                if toLow { result[low] += vector[high] * taps[tap] } else { result[high] += vector[low] * taps[tap] }
            }
            return result
        }

        /// The minimiser by conjugate gradients in double precision.
        func conjugateGradient(_ alpha: Double) -> [Double] {
            var solution = image.doubles
            var residual = zip(rightSide(alpha), apply(solution, alpha)).map { $0 - $1 }
            var direction = residual
            var norm = residual.reduce(0) { $0 + $1 * $1 }
            let goal = norm * 1e-26
            var iterations = 0
            while norm > goal, iterations < 2000 {
                let image = apply(direction, alpha)
                let step = norm / zip(direction, image).reduce(0) { $0 + $1.0 * $1.1 }
                for index in solution.indices {
                    solution[index] += step * direction[index]
                    residual[index] -= step * image[index]
                }
                let next = residual.reduce(0) { $0 + $1 * $1 }
                let share = next / norm
                for index in direction.indices { direction[index] = residual[index] + share * direction[index] }
                norm = next
                iterations += 1
            }
            return solution
        }
    }

    @Test(.tags(.slow), arguments: sizes, weights)
    func `the proximal step solves the normal equations`(_ size: ProblemSize, _ alpha: Double) throws {
        let problem = Problem(size)
        let proximal = try ProximalConsistency(
            observed: problem.observed, scale: size.scale, kernelSize: size.kernelSize)
        let found = proximal.consistent(problem.image, kernel: problem.kernel, weight: alpha)
        let wanted = problem.rightSide(alpha)
        let residual = zip(problem.apply(found.doubles, alpha), wanted).map { $0 - $1 }
        func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        #expect(norm(residual) < 1e-5 * norm(wanted), "\(norm(residual) / norm(wanted))")
        #expect(residual.allSatisfy { abs($0) < 1e-5 })
        expectClose(found.doubles, problem.conjugateGradient(alpha), absolute: 2e-4, relative: 1e-4)
    }

    @Test(arguments: sizes.filter { min($0.lowShape[1], $0.lowShape[2]) > 4 }, [1e-4, 0.1])
    func `with a margin the proximal step solves the equations of what was observed`(
        _ size: ProblemSize, _ alpha: Double
    ) throws {
        let problem = Problem(size)
        let margin = 2
        let proximal = try ProximalConsistency(
            observed: problem.observed, margin: margin, scale: size.scale, kernelSize: size.kernelSize)
        let found = proximal.consistent(problem.image, kernel: problem.kernel, weight: alpha)
        // The gradient of both terms: H' M (H x - y) + alpha (x - x0), M the middle.
        func gradient(_ image: Tensor<Float>) -> [Double] {
            var residual = size.degradation.apply(image: image, kernel: problem.kernel)
            let (rows, columns) = (residual.shape[1], residual.shape[2])
            for index in 0..<residual.count {
                let (row, column) = (index / columns % rows, index % columns)
                let isSeen = (margin..<rows - margin).contains(row) && (margin..<columns - margin).contains(column)
                residual[index] = isSeen ? residual[index] - problem.observed[index] : 0
            }
            let data = size.degradation.adjointImage(residual: residual, kernel: problem.kernel)
            return zip(data.doubles, zip(image.doubles, problem.image.doubles)).map { $0 + alpha * ($1.0 - $1.1) }
        }
        func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let (before, after) = (norm(gradient(problem.image)), norm(gradient(found)))
        #expect(after < 3e-3 * before, "\(after / before)")
    }

    @Test func `the proximal step follows a new kernel`() throws {
        let size = ProblemSize(3, 15, 7, 10, 3)
        let problem = Problem(size)
        var random = RandomStream(seed: 12, name: "another")
        let other = size.kernel(&random)
        let used = try ProximalConsistency(observed: problem.observed, scale: 3, kernelSize: 15)
        _ = used.consistent(problem.image, kernel: other, weight: 0.01)
        let fresh = try ProximalConsistency(observed: problem.observed, scale: 3, kernelSize: 15)
        #expect(
            used.consistent(problem.image, kernel: problem.kernel, weight: 0.01)
                == fresh.consistent(problem.image, kernel: problem.kernel, weight: 0.01))
    }

    @Test(arguments: sizes) func `with a small weight the image explains the input`(_ size: ProblemSize) throws {
        let problem = Problem(size)
        let proximal = try ProximalConsistency(
            observed: problem.observed, scale: size.scale, kernelSize: size.kernelSize)
        let found = proximal.consistent(problem.image, kernel: problem.kernel, weight: 1e-6)
        let blurred = size.degradation.apply(image: found, kernel: problem.kernel)
        let error = zip(blurred.doubles, problem.observed.doubles).map { abs($0 - $1) }.max() ?? 1
        #expect(error < 1.0 / 255, "\(error)")
    }

    @Test(arguments: sizes) func `a gradient step lowers the data term along its gradient`(_ size: ProblemSize) {
        let problem = Problem(size)
        let gradient = GradientConsistency(
            observed: problem.observed, scale: size.scale, kernelSize: size.kernelSize)
        var image = problem.image
        var last = Reference.loss(image, problem.kernel, problem.observed, size)
        for _ in 0..<3 {
            let next = gradient.consistent(image, kernel: problem.kernel, weight: 1)
            let loss = Reference.loss(next, problem.kernel, problem.observed, size)
            #expect(loss < last)
            (image, last) = (next, loss)
        }
        let residual = Reference.degraded(problem.image, problem.kernel, size).elements.enumerated()
            .map { Float($1) - problem.observed[$0] }
        let direction = Reference.adjointImage(
            Tensor(shape: size.lowShape, residual), problem.kernel, size
        ).elements
        let step = gradient.consistent(problem.image, kernel: problem.kernel, weight: 1)
        let moved = zip(problem.image.doubles, step.doubles).map { $0 - $1 }
        // Parallel: the step length is the same at every pixel.
        let length =
            zip(moved, direction).reduce(0) { $0 + $1.0 * $1.1 } / direction.reduce(0) { $0 + $1 * $1 }
        #expect(length > 0)
        expectClose(moved, direction.map { length * $0 }, absolute: 1e-5)
    }
}
