import CNeuralKernels

/// A pointwise nonlinearity.
public enum Activation: Sendable, Hashable {
    case identity
    /// x for positive x, else `slope` x.
    case leakyReLU(slope: Float)
    /// min(max(x, 0), 6)
    case relu6
    /// x sigmoid(x)
    case silu
    /// 1 / (1 + exp(-x))
    case sigmoid

    /// Whether 0 becomes 0.
    var keepsZero: Bool { self != .sigmoid }

    var kernel: dkp_activation {
        switch self {
        case .identity: dkp_activation(kind: DKP_IDENTITY, slope: 0)
        case .leakyReLU(let slope): dkp_activation(kind: DKP_LEAKY_RELU, slope: slope)
        case .relu6: dkp_activation(kind: DKP_RELU6, slope: 0)
        case .silu: dkp_activation(kind: DKP_SILU, slope: 0)
        case .sigmoid: dkp_activation(kind: DKP_SIGMOID, slope: 0)
        }
    }
}
