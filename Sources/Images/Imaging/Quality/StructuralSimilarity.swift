import Glibc
public import Tensors

/// Mean structural similarity of two planes (Wang et al., "Image quality assessment: from error visibility to structural
/// similarity", 2004): an 11 x 11 Gaussian window of sigma 1.5, C1 = (0.01 peak)^2, C2 = (0.03 peak)^2, over the places
/// where the window lies wholly inside.
///
/// - Parameters:
///   - first: `[height, width]`, both at least 11.
///   - second: a plane of the same shape.
///   - peak: the range of the values, 255 for 8-bit luma.
/// - Returns: at most 1, which means equal planes.
public func ssim(_ first: Tensor<Double>, _ second: Tensor<Double>, peak: Double) -> Double {
    precondition(
        first.shape == second.shape && first.shape.count == 2 && first.shape.allSatisfy { $0 >= gaussianWindow.count },
        "planes to compare have one shape of at least 11 x 11, not \(first.shape) and \(second.shape)")
    let (height, width) = (first.shape[0], first.shape[1])
    let taps = gaussianWindow.count
    let columns = width - taps + 1
    let (c1, c2) = (0.01 * peak * (0.01 * peak), 0.03 * peak * (0.03 * peak))
    // The last eleven rows, filtered along x: for each, sums of a, b, aa, bb, ab.
    var ring = [Double](repeating: 0, count: taps * 5 * columns)
    var sum = 0.0
    first.withUnsafeBufferPointer { first in
        second.withUnsafeBufferPointer { second in
            gaussianWindow.withUnsafeBufferPointer { window in
                ring.withUnsafeMutableBufferPointer { ring in
                    for row in 0..<height {
                        let base = row % taps * 5 * columns
                        for x in 0..<columns {
                            var (a, b, aa, bb, ab) = (0.0, 0.0, 0.0, 0.0, 0.0)
                            for tap in 0..<taps {
                                let (p, q) = (first[row * width + x + tap], second[row * width + x + tap])
                                let (wp, wq) = (window[tap] * p, window[tap] * q)
                                a += wp
                                b += wq
                                aa += wp * p
                                bb += wq * q
                                ab += wp * q
                            }
                            ring[base + x] = a
                            ring[base + columns + x] = b
                            ring[base + 2 * columns + x] = aa
                            ring[base + 3 * columns + x] = bb
                            ring[base + 4 * columns + x] = ab
                        }
                        guard row >= taps - 1 else { continue }
                        for x in 0..<columns {
                            var (a, b, aa, bb, ab) = (0.0, 0.0, 0.0, 0.0, 0.0)
                            for tap in 0..<taps {
                                let weight = window[tap]
                                let base = (row + 1 + tap) % taps * 5 * columns + x
                                a += weight * ring[base]
                                b += weight * ring[base + columns]
                                aa += weight * ring[base + 2 * columns]
                                bb += weight * ring[base + 3 * columns]
                                ab += weight * ring[base + 4 * columns]
                            }
                            let means = (2 * a * b + c1) / (a * a + b * b + c1)
                            sum += means * (2 * (ab - a * b) + c2) / (aa - a * a + bb - b * b + c2)
                        }
                    }
                }
            }
        }
    }
    return sum / Double(columns * (height - taps + 1))
}

/// Eleven Gaussian weights of sigma 1.5, summing to 1.
private let gaussianWindow: [Double] = {
    let weights = (-5...5).map { exp(-Double($0 * $0) / (2 * 1.5 * 1.5)) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
}()
