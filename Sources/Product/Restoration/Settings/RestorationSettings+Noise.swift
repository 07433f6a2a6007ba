import Degradation
public import Jobs
public import Tensors

extension RestorationSettings {
    /// Less noise than this, in 255ths, cannot be told from the fine texture of a small clean image: of forty such, eight
    /// are given 0.8 to 3. An estimate of it counts as none, as too little does less harm there than too much.
    private static let leastEstimate = 2.0

    /// The standard deviation of the noise of an input `[channels, h, w]` in [0, 1], in its units: what was set, or an
    /// estimate.
    public func noiseStandardDeviation(of input: Tensor<Float>) -> Double {
        if let noise { return noise / 255 }
        let estimate = NoiseEstimate.standardDeviation(of: input)
        return estimate < Self.leastEstimate / 255 ? 0 : estimate
    }
}
