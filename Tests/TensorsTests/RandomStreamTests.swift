import Tensors
import Testing

struct KnownAnswer: Sendable {
    let counter: SIMD4<UInt32>
    let key: SIMD2<UInt32>
    let output: SIMD4<UInt32>
}

@Suite struct RandomStreamTests {
    /// Known answers distributed with Random123 (kat_vectors, philox4x32-10).
    @Test(arguments: [
        KnownAnswer(
            counter: SIMD4(repeating: 0), key: SIMD2(repeating: 0),
            output: SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8)),
        KnownAnswer(
            counter: SIMD4(repeating: 0xFFFF_FFFF), key: SIMD2(repeating: 0xFFFF_FFFF),
            output: SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD)),
        KnownAnswer(
            counter: SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344),
            key: SIMD2(0xA409_3822, 0x299F_31D0),
            output: SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1)),
    ])
    func `Philox gives Random123's known answers`(answer: KnownAnswer) {
        #expect(Philox4x32.block(counter: answer.counter, key: answer.key) == answer.output)
    }

    @Test func `a stream rebuilt from its key and counter continues with the next number`() {
        var original = RandomStream(seed: 7, name: "kernels")
        for drawn in 0..<23 {
            var resumed = RandomStream(key: original.key, counter: original.counter)
            var ahead = original
            #expect(resumed.nextWord() == ahead.nextWord(), "after \(drawn) words")
            _ = original.nextWord()
        }
    }

    @Test func `streams of other names and other seeds differ`() {
        var streams = [("a", 1), ("b", 1), ("a", 2)].map { RandomStream(seed: $0.1, name: $0.0) }
        let words = streams.indices.map { streams[$0].nextWord() }
        #expect(Set(words).count == 3)
    }

    @Test func `uniform and normal numbers have the right mean and variance`() {
        var stream = RandomStream(seed: 3, name: "moments")
        let count = 100_000
        let uniforms = (0..<count).map { _ in stream.uniform() }
        let normals = (0..<count).map { _ in stream.normal() }
        func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
            let mean = values.reduce(0, +) / Double(count)
            return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count))
        }
        #expect(uniforms.allSatisfy { (0..<1).contains($0) })
        #expect(abs(moments(uniforms).mean - 0.5) < 0.005)
        #expect(abs(moments(uniforms).variance - 1 / 12.0) < 0.002)
        #expect(abs(moments(normals).mean) < 0.015)
        #expect(abs(moments(normals).variance - 1) < 0.02)
    }
}
