import Tensors
import Testing

@Suite struct TensorTests {
    @Test func `a copy does not see later writes`() {
        var original = Tensor<Float>(shape: [2, 3], [0, 1, 2, 3, 4, 5])
        let copy = original
        original[4] = 9
        #expect(copy[4] == 4)
        #expect(original[4] == 9)
        #expect(copy.reshaped([3, 2]).shape == [3, 2])
    }

    @Test func `storage is aligned to a cache line`() {
        for count in [1, 7, 64, 1000] {
            Tensor<Float>(shape: [count]).withUnsafeBufferPointer {
                #expect(Int(bitPattern: $0.baseAddress) % 64 == 0)
            }
        }
    }

    @Test(
        arguments: [
            (1, 0x3F80), (1 + 0x1p-8, 0x3F80), (1 + 0x3p-8, 0x3F82), (-2.5, 0xC020), (.infinity, 0x7F80),
            (0x1.FFFFFEp127, 0x7F80),
        ] as [(Float, UInt16)])
    func `bfloat16 rounds to nearest, ties to even`(value: Float, bits: UInt16) {
        #expect(BFloat16(value).bitPattern == bits)
    }

    @Test func `bfloat16 keeps NaN`() {
        #expect(BFloat16(.nan).float.isNaN)
        #expect(BFloat16(Float(bitPattern: 0x7F80_0001)).float.isNaN)
    }
}
