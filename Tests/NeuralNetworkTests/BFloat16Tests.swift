import CNeuralKernels
import Testing

@Suite struct BFloat16Tests {
    /// NaNs of every kind: quiet, signalling, and with a fraction that rounding would carry out of.
    static let patterns: [UInt32] = [
        0x7FC0_0000, 0x7F80_0001, 0x7FFF_FFFF, 0x7FFF_8000, 0xFFC0_0000, 0xFF80_0001, 0xFFFF_FFFF,
    ]

    /// Numbers that are not NaN, and what they round to.
    static let numbers: [(UInt32, UInt32)] = [
        (0x7F80_0000, 0x7F80_0000), (0xFF80_0000, 0xFF80_0000), (0x7F7F_FFFF, 0x7F80_0000),
        (0x3F80_8000, 0x3F80_0000), (0x3F81_8000, 0x3F82_0000), (0x8000_0000, 0x8000_0000),
    ]

    @Test func `arrays keep NaN and infinity when they are rounded to bf16`() {
        let values = (Self.patterns + Self.numbers.map(\.0)).map { Float(bitPattern: $0) }
        var rounded = [Float](repeating: 0, count: values.count)
        dkp_round_to_bf16(values, &rounded, values.count)
        var halves = [UInt16](repeating: 0, count: values.count)
        dkp_convert_to_bf16(values, &halves, values.count)
        for index in Self.patterns.indices {
            #expect(rounded[index].isNaN)
            #expect(Float(bitPattern: UInt32(halves[index]) << 16).isNaN)
        }
        for (index, (_, expected)) in Self.numbers.enumerated() {
            #expect(rounded[Self.patterns.count + index].bitPattern == expected)
            #expect(UInt32(halves[Self.patterns.count + index]) << 16 == expected)
        }
    }

    @Test(arguments: [8, 16]) func `so do feature maps`(block: Int) {
        // A map of one pixel, scaled by each number in turn: 1 x number is the number.
        var source = [UInt16](repeating: 0x3F80, count: block)
        for (pattern, expected) in Self.patterns.map({ ($0, UInt32?.none) }) + Self.numbers.map({ ($0, $1) }) {
            let factors = [Float](repeating: Float(bitPattern: pattern), count: block)
            var target = [UInt16](repeating: 0, count: block)
            source.withUnsafeMutableBytes { source in
                target.withUnsafeMutableBytes { target in
                    guard let x = source.baseAddress, let y = target.baseAddress else { return }
                    var from = view(x, block)
                    var to = view(y, block)
                    dkp_affine_activation(
                        &from, factors, nil, dkp_activation(kind: DKP_IDENTITY, slope: 0), nil, &to)
                }
            }
            for half in target {
                let value = Float(bitPattern: UInt32(half) << 16)
                // x + 0 takes the sign from a zero.
                #expect(expected.map { value == Float(bitPattern: $0) } ?? value.isNaN, "\(pattern)")
            }
        }
    }

    private func view(_ data: UnsafeMutableRawPointer, _ block: Int) -> dkp_feature_map {
        dkp_feature_map(
            data: data, plane_stride: block, row_stride: block, pixel_stride: block, blocks: 1, height: 1, width: 1,
            halo: 0, scalar: DKP_BF16, block: Int32(block))
    }
}
