import COneDNN

/// The instruction set that convolutions are computed with on this machine. Between two of them the order of sums
/// differs, and so do the last digits of results.
public enum InstructionSet {
    /// Its name: `avx512_core_amx`, `avx2`.
    public static let name: String = {
        let effective = dnnl_get_effective_cpu_isa()
        return names.first { $0.set == effective }?.name ?? "0x" + String(effective.rawValue, radix: 16)
    }()

    private static let names: [(set: dnnl_cpu_isa_t, name: String)] = [
        (dnnl_cpu_isa_sse41, "sse41"), (dnnl_cpu_isa_avx, "avx"), (dnnl_cpu_isa_avx2, "avx2"),
        (dnnl_cpu_isa_avx2_vnni, "avx2_vnni"), (dnnl_cpu_isa_avx512_core, "avx512_core"),
        (dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"), (dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"),
        (dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"),
    ]
}
