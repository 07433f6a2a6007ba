import Foundation

extension DiffusionDescription {
    static func linear(_ steps: Int) -> [Double] {
        let scale = 1000 / Double(steps)
        let (first, last) = (scale * 0.0001, scale * 0.02)
        let increment = steps > 1 ? (last - first) / Double(steps - 1) : 0
        return (0..<steps).map { min(first + Double($0) * increment, largestBeta) }
    }

    static func cosine(_ steps: Int) -> [Double] {
        func alphaBar(_ fraction: Double) -> Double {
            let root = cos((fraction + 0.008) / 1.008 * .pi / 2)
            return root * root
        }
        return (0..<steps).map { step in
            let fraction = Double(step) / Double(steps)
            return min(1 - alphaBar(Double(step + 1) / Double(steps)) / alphaBar(fraction), largestBeta)
        }
    }

    /// A beta of 1 would leave nothing of the image.
    private static let largestBeta = 0.999
}
