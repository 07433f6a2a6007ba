import Foundation

/// The standard normal distribution function and its inverse: how standard normals become uniform numbers.
enum NormalDistribution {
    /// P(Z <= z).
    static func cumulative(_ z: Double) -> Double { 0.5 * erfc(-z * 0.5.squareRoot()) }

    /// The z with `cumulative(z)` = probability, kept within [-8, 8]; by bisection, then Newton's method.
    static func quantile(_ probability: Double) -> Double {
        var low = -8.0
        var high = 8.0
        if probability <= cumulative(low) { return low }
        if probability >= cumulative(high) { return high }
        for _ in 0..<12 {
            let middle = 0.5 * (low + high)
            if cumulative(middle) < probability { low = middle } else { high = middle }
        }
        var z = 0.5 * (low + high)
        for _ in 0..<4 {
            let density = exp(-0.5 * z * z) / (2 * Double.pi).squareRoot()
            z = min(max(z - (cumulative(z) - probability) / density, low), high)
        }
        return z
    }

    /// The value of a uniform (or log-uniform) variable over a range whose normal coordinate is z.
    static func value(_ z: Double, in range: ClosedRange<Double>, logarithmic: Bool = false) -> Double {
        let share = cumulative(z)
        if logarithmic { return range.lowerBound * pow(range.upperBound / range.lowerBound, share) }
        return range.lowerBound + share * (range.upperBound - range.lowerBound)
    }

    /// The normal coordinate of a value, which is first moved well inside the range.
    static func coordinate(of value: Double, in range: ClosedRange<Double>, logarithmic: Bool = false) -> Double {
        guard range.upperBound > range.lowerBound else { return 0 }
        let share =
            logarithmic
            ? log(max(value, range.lowerBound) / range.lowerBound) / log(range.upperBound / range.lowerBound)
            : (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        return quantile(min(max(share, 0.001), 0.999))
    }
}
