import Foundation

/// The vector of sines and cosines that tells a network the timestep (Vaswani et al. 2017; Ho et al. 2020).
struct TimestepEmbedding: Sendable, Equatable {
    /// The length of the vector.
    var count: Int
    /// Whether the cosines come before the sines.
    var cosinesFirst: Bool
    /// What is taken from the number of frequencies where their logarithms are spaced.
    var frequencyShift: Double

    /// The vector for a timestep: frequencies 10000^(-i / (half - shift)), i from 0, half the length of them; a last 0
    /// where the length is odd.
    func vector(timestep: Double) -> [Float] {
        let half = count / 2
        // The originals take frequencies and angles in single precision.
        let slope = -Float(Foundation.log(10000.0))
        let frequencies = (0..<half).map { Foundation.exp(slope * Float($0) / Float(Double(half) - frequencyShift)) }
        let angles = frequencies.map { Float(timestep) * $0 }
        let sines = angles.map { Foundation.sin($0) }
        let cosines = angles.map { Foundation.cos($0) }
        return (cosinesFirst ? cosines + sines : sines + cosines) + [Float](repeating: 0, count: count - 2 * half)
    }
}
