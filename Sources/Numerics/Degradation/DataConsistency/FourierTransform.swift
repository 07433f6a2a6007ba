internal import CFFTW
import Failures
import Foundation

/// A real two-dimensional Fourier transform of one size and its inverse (FFTW, single precision), planned once.
///
/// It runs on the calling thread alone: FFTW's own threads would be a second pool. Not for two threads at once.
final class FourierTransform {
    /// One value of a spectrum.
    struct Complex {
        var real: Float
        var imaginary: Float
    }

    /// FFTW's planner, unlike its execution, is not thread-safe.
    private static let planner = NSLock()

    private let height: Int
    private let width: Int
    private let plane: UnsafeMutablePointer<Float>
    private let spectrum: UnsafeMutablePointer<fftwf_complex>
    private let forward: fftwf_plan
    private let backward: fftwf_plan

    /// - Parameters:
    ///   - height: rows, at least 1.
    ///   - width: columns, at least 1.
    init(height: Int, width: Int) throws(LibraryError) {
        precondition(height > 0 && width > 0, "a transform of \(height) x \(width)")
        let spectrumCount = height * (width / 2 + 1)
        guard let rows = Int32(exactly: height), let columns = Int32(exactly: width),
            let plane = fftwf_alloc_real(height * width)
        else {
            throw LibraryError("fourier_transform", "FFTW has no memory for a plane of \(width) x \(height)")
        }
        guard let spectrum = fftwf_alloc_complex(spectrumCount) else {
            fftwf_free(plane)
            throw LibraryError("fourier_transform", "FFTW has no memory for a spectrum of \(width) x \(height)")
        }
        // Estimated, not measured: the algorithm, hence the rounding, must not depend on the clock.
        let plans = Self.planner.withLock {
            (
                fftwf_plan_dft_r2c_2d(rows, columns, plane, spectrum, UInt32(FFTW_ESTIMATE)),
                fftwf_plan_dft_c2r_2d(rows, columns, spectrum, plane, UInt32(FFTW_ESTIMATE))
            )
        }
        guard let forward = plans.0, let backward = plans.1 else {
            Self.planner.withLock {
                if let plan = plans.0 { fftwf_destroy_plan(plan) }
                if let plan = plans.1 { fftwf_destroy_plan(plan) }
            }
            fftwf_free(spectrum)
            fftwf_free(plane)
            throw LibraryError("fourier_transform", "FFTW makes no plan for \(width) x \(height)")
        }
        self.height = height
        self.width = width
        self.plane = plane
        self.spectrum = spectrum
        self.forward = forward
        self.backward = backward
    }

    deinit {
        Self.planner.withLock {
            fftwf_destroy_plan(forward)
            fftwf_destroy_plan(backward)
        }
        fftwf_free(spectrum)
        fftwf_free(plane)
    }

    /// Transforms a plane `[height, width]` and lets `body` read the spectrum `[height, width / 2 + 1]`.
    func transform(
        _ values: UnsafeBufferPointer<Float>, _ body: (UnsafeMutableBufferPointer<Complex>) -> Void
    ) {
        precondition(values.count == height * width, "a plane of \(values.count) values, expected \(height) x \(width)")
        _ = UnsafeMutableBufferPointer(start: plane, count: height * width).update(from: values)
        fftwf_execute(forward)
        let count = height * (width / 2 + 1)
        spectrum.withMemoryRebound(to: Complex.self, capacity: count) {
            body(UnsafeMutableBufferPointer(start: $0, count: count))
        }
    }

    /// Transforms a plane `[height, width]`, lets `body` change the spectrum `[height, width / 2 + 1]`, and transforms
    /// back, without the factor 1 / (height width).
    func filter(
        _ values: UnsafeMutableBufferPointer<Float>, _ body: (UnsafeMutableBufferPointer<Complex>) -> Void
    ) {
        precondition(values.count == height * width, "a plane of \(values.count) values, expected \(height) x \(width)")
        transform(UnsafeBufferPointer(values), body)
        fftwf_execute(backward)
        _ = values.update(from: UnsafeMutableBufferPointer(start: plane, count: height * width))
    }
}
