public import Failures

public import Tensors

/// The exact minimiser of || y - (x (*) k)|s ||^2 + alpha || x - x0 ||^2, in closed form (Zhao et al. 2016, "Fast single
/// image super-resolution using a new analytical solution for l2-l2 problems").
///
/// With H for blur and decimation, the minimiser is x0 + H' z with (H H' + alpha) z = y - H x0. H H' is a circular
/// convolution of the low-resolution grid: its eigenvalues are the averages, over the s x s frequencies that decimation
/// makes one, of |DFT(k)|^2, and these averages are the DFT of the kernel's autocorrelation at multiples of s. So one
/// Fourier transform of y's size each way solves for z, and nothing cancels however small alpha is.
///
/// Where y has a margin that was not observed, z is zero there, and the equations hold in the middle alone: what is left
/// of H H' there is no circular convolution any more, but so near to one that conjugate gradients, preconditioned with the
/// closed form, come to the solution within a few iterations (Strang's circulant preconditioner).
public final class ProximalConsistency: DataConsistency {
    private let observed: Tensor<Float>
    private let margin: Int
    private let scale: Int
    private let kernelSize: Int
    private var degradation: DegradationOperator
    private let transform: FourierTransform
    private var residual: Tensor<Float>
    private var correction: Tensor<Float>
    private var eigenvalues: [Float] = []
    private var eigenvaluesKernel: Tensor<Float>?

    /// - Parameters:
    ///   - observed: y, `[channels, h, w]`.
    ///   - margin: its rows and columns at each side that were not observed.
    ///   - scale: s, 1...8.
    ///   - kernelSize: n, odd.
    /// - Throws: ``LibraryError`` if FFTW has no plan or no memory for the size.
    public init(
        observed: Tensor<Float>, margin: Int = 0, scale: Int, kernelSize: Int
    ) throws(LibraryError) {
        precondition(
            margin >= 0 && 2 * margin < min(observed.shape[1], observed.shape[2]),
            "a margin of \(margin) leaves nothing")
        self.observed = observed
        self.margin = margin
        self.scale = scale
        self.kernelSize = kernelSize
        let (height, width) = (observed.shape[1], observed.shape[2])
        degradation = DegradationOperator(
            scale: scale, kernelSize: kernelSize, height: height * scale, width: width * scale)
        transform = try FourierTransform(height: height, width: width)
        residual = Tensor(shape: observed.shape)
        correction = Tensor(shape: [observed.shape[0], height * scale, width * scale])
    }

    /// The minimiser for a weight alpha, which is in the units of the squared norms' ratio and positive.
    public func consistent(_ image: Tensor<Float>, kernel: Tensor<Float>, weight: Double) -> Tensor<Float> {
        precondition(weight > 0, "the weight of the image must be positive, not \(weight)")
        degradation.apply(image: image, kernel: kernel, into: &residual)
        residual.combine(observed) { $1 - $0 }
        solve(kernel, Float(weight))
        degradation.adjointImage(residual: residual, kernel: kernel, into: &correction)
        var result = image
        result.combine(correction) { $0 + $1 }
        return result
    }

    /// Replaces the residual r by the solution z of (H H' + alpha) z = r.
    private func solve(_ kernel: Tensor<Float>, _ alpha: Float) {
        prepareEigenvalues(of: kernel)
        let pixels = observed.shape[1] * observed.shape[2]
        residual.withUnsafeMutableBufferPointer { residual in
            for channel in 0..<observed.shape[0] {
                let plane = UnsafeMutableBufferPointer(rebasing: residual[channel * pixels..<(channel + 1) * pixels])
                if margin == 0 {
                    filter(plane) { 1 / ($0 + alpha) }
                } else {
                    solveInside(plane, alpha)
                }
            }
        }
    }

    /// The circular convolution whose eigenvalues are a function of those of H H'.
    private func filter(_ plane: UnsafeMutableBufferPointer<Float>, _ gain: (Float) -> Float) {
        let factor = 1 / Float(plane.count)
        transform.filter(plane) { spectrum in
            for index in 0..<spectrum.count {
                let gain = factor * gain(eigenvalues[index])
                spectrum[index].real *= gain
                spectrum[index].imaginary *= gain
            }
        }
    }

    /// The residual, relative to its first, at which z is near enough: well below what an image's rounding leaves.
    private static let tolerance = 1e-3
    /// Conjugate gradients end here at the latest.
    private static let mostIterations = 60

    /// Replaces r by the z, zero in the margin, that solves the equations in the middle, by conjugate gradients.
    private func solveInside(_ plane: UnsafeMutableBufferPointer<Float>, _ alpha: Float) {
        clearMargin(plane)
        var residual = Array(plane)
        let first = Self.product(residual, residual)
        plane.update(repeating: 0)
        var conditioned = preconditioned(residual, alpha)
        var direction = conditioned
        var weighted = Self.product(residual, conditioned)
        for _ in 0..<Self.mostIterations {
            guard weighted > 0, Self.product(residual, residual) > Self.tolerance * Self.tolerance * first else {
                return
            }
            var image = direction
            image.withUnsafeMutableBufferPointer { image in
                filter(image) { $0 + alpha }
                clearMargin(image)
            }
            let curvature = Self.product(direction, image)
            guard curvature > 0 else { return }
            let step = Float(weighted / curvature)
            for index in 0..<plane.count {
                plane[index] += step * direction[index]
                residual[index] -= step * image[index]
            }
            conditioned = preconditioned(residual, alpha)
            let next = Self.product(residual, conditioned)
            let ratio = Float(next / weighted)
            for index in 0..<plane.count { direction[index] = conditioned[index] + ratio * direction[index] }
            weighted = next
        }
    }

    private func preconditioned(_ residual: [Float], _ alpha: Float) -> [Float] {
        var result = residual
        result.withUnsafeMutableBufferPointer { plane in
            filter(plane) { 1 / ($0 + alpha) }
            clearMargin(plane)
        }
        return result
    }

    private func clearMargin(_ plane: UnsafeMutableBufferPointer<Float>) {
        let (height, width) = (observed.shape[1], observed.shape[2])
        for row in 0..<height {
            let isOutside = row < margin || row >= height - margin
            for column in 0..<width where isOutside || column < margin || column >= width - margin {
                plane[row * width + column] = 0
            }
        }
    }

    private static func product(_ first: [Float], _ second: [Float]) -> Double {
        var sum = 0.0
        for index in 0..<first.count { sum += Double(first[index]) * Double(second[index]) }
        return sum
    }

    private func prepareEigenvalues(of kernel: Tensor<Float>) {
        guard eigenvaluesKernel != kernel else { return }
        eigenvaluesKernel = kernel
        var plane = decimatedAutocorrelation(of: kernel)
        var values: [Float] = []
        plane.withUnsafeMutableBufferPointer { plane in
            transform.filter(plane) { spectrum in
                // The autocorrelation is even, so its transform is real; below zero it is only by rounding.
                values = spectrum.map { max($0.real, 0) }
            }
        }
        eigenvalues = values
    }

    /// sum over u of k[u] k[u + s d], for lags d on the low-resolution grid, wrapped around.
    private func decimatedAutocorrelation(of kernel: Tensor<Float>) -> [Float] {
        let (height, width, size) = (observed.shape[1], observed.shape[2], kernelSize)
        let reach = (size - 1) / scale
        let taps = kernel.elements.map(Double.init)
        var plane = [Double](repeating: 0, count: height * width)
        for rowLag in -reach...reach {
            for columnLag in -reach...reach {
                let (down, right) = (scale * rowLag, scale * columnLag)
                var sum = 0.0
                for row in max(0, -down)..<min(size, size - down) {
                    for column in max(0, -right)..<min(size, size - right) {
                        sum += taps[row * size + column] * taps[(row + down) * size + column + right]
                    }
                }
                let row = (rowLag % height + height) % height
                let column = (columnLag % width + width) % width
                plane[row * width + column] += sum
            }
        }
        return plane.map { Float($0) }
    }
}
