public import Jobs
public import NeuralNetwork

extension RestorationSettings.Precision {
    /// The engine's precision: what was asked for, or the faster one on this processor.
    public var resolved: NeuralNetwork.Precision {
        switch self {
        case .auto: .fastest
        case .f32: .f32
        case .bf16: .bf16
        }
    }
}
