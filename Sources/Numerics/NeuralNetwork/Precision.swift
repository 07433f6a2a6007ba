import CNeuralKernels
import COneDNN

/// The storage type of feature maps and of the weights that convolutions read. Master weights, gradients of weights,
/// sums and the network's output are always f32.
public enum Precision: String, Sendable, CaseIterable {
    case f32
    case bf16

    /// The faster of the two on this processor: bf16 where it has bf16 dot products (AVX512_BF16, AMX), else f32.
    public static var fastest: Precision { Processor.hasNativeBF16 ? .bf16 : .f32 }

    /// Whether this processor computes in this precision by its own instructions. Where it does not, bf16 is computed
    /// by f32 convolutions on rounded operands: the same results up to the order of sums, slower than f32.
    public var isNative: Bool { self == .f32 || Processor.hasNativeBF16 }

    var scalar: dkp_scalar { self == .f32 ? DKP_F32 : DKP_BF16 }
    var bytes: Int { self == .f32 ? 4 : 2 }
    var dataType: dnnl_data_type_t { self == .f32 ? dnnl_f32 : dnnl_bf16 }
}

/// What oneDNN's dispatcher sees of the processor.
enum Processor {
    private static let instructionSet = dnnl_get_effective_cpu_isa().rawValue

    private static func includes(_ isa: dnnl_cpu_isa_t) -> Bool { instructionSet & isa.rawValue == isa.rawValue }

    static var hasNativeBF16: Bool { includes(dnnl_cpu_isa_avx512_core_bf16) }

    /// Whether it multiplies tiles of bf16 matrices (AMX), several times as fast as vectors of them.
    static var hasMatrixTiles: Bool { includes(dnnl_cpu_isa_avx512_core_amx) }

    /// Channels per block in the layout that oneDNN's convolutions prefer: one vector register of f32.
    static var channelBlock: Int { includes(dnnl_cpu_isa_avx512_core) ? 16 : 8 }
}
