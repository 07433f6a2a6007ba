import Degradation
import TestSupport
import Tensors
import Testing

@Suite struct KernelNormalEquationsTests {
    /// The mean squared error of the samples and of their circular differences, term by term.
    private static func losses(
        _ image: Tensor<Float>, _ kernel: Tensor<Float>, _ observed: Tensor<Float>, _ size: ProblemSize,
        _ weight: (Int, Int) -> Double = { _, _ in 1 }
    ) -> (gradients: Double, intensities: Double) {
        let degraded = Reference.degraded(image, kernel, size)
        let (rows, columns) = (size.lowHeight, size.lowWidth)
        func residual(_ channel: Int, _ row: Int, _ column: Int) -> Double {
            let index = (channel * rows + row % rows) * columns + column % columns
            return Double(observed[index]) - degraded[index]
        }
        var (gradients, intensities, gradientWeight, weights) = (0.0, 0.0, 0.0, 0.0)
        for channel in 0..<size.channels {
            for row in 0..<rows {
                for column in 0..<columns {
                    let own = residual(channel, row, column)
                    let here = weight(row, column)
                    let down = here * weight((row + 1) % rows, column)
                    let right = here * weight(row, (column + 1) % columns)
                    let below = residual(channel, row + 1, column) - own
                    let beside = residual(channel, row, column + 1) - own
                    gradients += down * below * below + right * beside * beside
                    gradientWeight += down + right
                    intensities += here * own * own
                    weights += here
                }
            }
        }
        return (2 * gradients / gradientWeight, intensities / weights)
    }

    @Test(arguments: ProblemSize.all.filter { $0.kernelSize <= 21 })
    func `the equations are the loss of differences`(_ size: ProblemSize) {
        var random = RandomStream(seed: 1, name: "equations \(size)")
        let (image, observed) = (size.image(&random), size.observed(&random))
        for kernel in [size.kernel(&random), Tensor.randomSigned([size.kernelSize, size.kernelSize], &random)] {
            let expected = Self.losses(image, kernel, observed, size)
            let all = expected.gradients + expected.intensities
            for (domain, value) in [
                (KernelEquationsBuilder.Domain.gradients, expected.gradients), (.intensities, expected.intensities),
                (.both, all),
            ] {
                var builder = KernelEquationsBuilder(
                    observed: observed, scale: size.scale, kernelSize: size.kernelSize, domain: domain)
                let equations = builder.equations(of: image)
                expectClose(equations.loss(of: kernel), value, absolute: 1e-6 * equations.constant, relative: 1e-6)
            }
        }
    }

    @Test(arguments: [ProblemSize(2, 11, 12, 15, 3), ProblemSize(4, 19, 9, 11, 3), ProblemSize(3, 5, 6, 7, 1)])
    func `weights count samples and what differs from them`(_ size: ProblemSize) {
        var random = RandomStream(seed: 2, name: "weights \(size)")
        let (image, observed, kernel) = (size.image(&random), size.observed(&random), size.kernel(&random))
        let weights = Tensor<Float>(
            shape: [size.lowHeight, size.lowWidth],
            (0..<(size.lowHeight * size.lowWidth)).map { $0 % 5 == 0 ? 0 : Float(random.uniform()) })
        var builder = KernelEquationsBuilder(
            observed: observed, scale: size.scale, kernelSize: size.kernelSize, domain: .gradients, weights: weights)
        let equations = builder.equations(of: image)
        let expected = Self.losses(image, kernel, observed, size) { Double(weights[$0 * size.lowWidth + $1]) }
        expectClose(equations.loss(of: kernel), expected.gradients, absolute: 1e-5 * equations.constant, relative: 1e-5)
    }

    @Test(arguments: KernelEquationsBuilder.Domain.allCases)
    func `weights that are all one change nothing`(_ domain: KernelEquationsBuilder.Domain) {
        let size = ProblemSize(4, 19, 9, 11, 3)
        var random = RandomStream(seed: 3, name: "ones")
        let (image, observed) = (size.image(&random), size.observed(&random))
        var plain = KernelEquationsBuilder(observed: observed, scale: 4, kernelSize: 19, domain: domain)
        var weighted = KernelEquationsBuilder(
            observed: observed, scale: 4, kernelSize: 19, domain: domain,
            weights: Tensor(shape: [size.lowHeight, size.lowWidth], repeating: 1))
        let (one, other) = (plain.equations(of: image), weighted.equations(of: image))
        let largest = one.matrix.elements.map(abs).max() ?? 0
        expectClose(other.matrix, one.matrix, absolute: 1e-5 * largest, relative: 1e-4)
        expectClose(other.vector, one.vector, absolute: 1e-5 * largest, relative: 1e-4)
    }

    @Test func `an average moves from one image's equations to the next one's`() {
        let size = ProblemSize(2, 11, 7, 6, 3)
        var random = RandomStream(seed: 4, name: "average")
        let (first, second, observed) = (size.image(&random), size.image(&random), size.observed(&random))
        let kernel = size.kernel(&random)
        var builder = KernelEquationsBuilder(observed: observed, scale: 2, kernelSize: 11)
        let (one, other) = (builder.equations(of: first), builder.equations(of: second))
        var average = one
        average.average(with: other, retaining: 0.75)
        expectClose(
            average.loss(of: kernel), 0.75 * one.loss(of: kernel) + 0.25 * other.loss(of: kernel),
            absolute: 1e-12 * one.constant, relative: 1e-12)
    }
}
