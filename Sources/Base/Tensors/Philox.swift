/// Philox 4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
///
/// A pure function from (key, counter) to four words: there is no state to lose, which is what makes a resumed run draw
/// exactly the numbers that an undisturbed one would have drawn.
public enum Philox4x32 {
    /// The four output words for a counter and a key, after ten rounds.
    public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var counter = counter
        var key = key
        for round in 0..<10 {
            if round > 0 { key = SIMD2(key.x &+ 0x9E37_79B9, key.y &+ 0xBB67_AE85) }
            let first = UInt64(0xD251_1F53) * UInt64(counter.x)
            let second = UInt64(0xCD9E_8D57) * UInt64(counter.z)
            counter = SIMD4(
                UInt32(truncatingIfNeeded: second >> 32) ^ counter.y ^ key.x, UInt32(truncatingIfNeeded: second),
                UInt32(truncatingIfNeeded: first >> 32) ^ counter.w ^ key.y, UInt32(truncatingIfNeeded: first))
        }
        return counter
    }
}
