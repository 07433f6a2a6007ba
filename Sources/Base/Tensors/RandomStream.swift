import Foundation

/// A named stream of random numbers: one seed gives as many independent streams as there are names.
///
/// Its whole state is ``key`` and ``counter``; a stream rebuilt from the two continues with the very next number.
public struct RandomStream: Sendable, Equatable {
    /// The Philox key: the seed mixed with the stream's name.
    public let key: UInt64
    /// How many 32-bit words have been drawn.
    public private(set) var counter: UInt64

    private var block: SIMD4<UInt32> = .zero
    private var cachedBlock: UInt64?

    /// The stream called `name` of a run with this seed, at its beginning.
    public init(seed: UInt64, name: String) {
        // FNV-1a over the name, then one Philox block keyed by the seed: names that differ in one letter share nothing.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let mixed = Philox4x32.block(
            counter: SIMD4(UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32), 0x646B_7064, 0),
            key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
        self.init(key: UInt64(mixed.x) | UInt64(mixed.y) << 32, counter: 0)
    }

    /// The stream with this key, after `counter` words have been drawn: what a checkpoint restores.
    public init(key: UInt64, counter: UInt64) {
        self.key = key
        self.counter = counter
    }

    /// The next 32 random bits.
    public mutating func nextWord() -> UInt32 {
        let index = counter >> 2
        if cachedBlock != index {
            block = Philox4x32.block(
                counter: SIMD4(UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), 0, 0),
                key: SIMD2(UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32)))
            cachedBlock = index
        }
        defer { counter += 1 }
        return block[Int(counter & 3)]
    }

    /// A number in [0, 1), a multiple of 2^-53.
    public mutating func uniform() -> Double {
        let high = UInt64(nextWord())
        let low = UInt64(nextWord())
        return Double((high << 32 | low) >> 11) * 0x1p-53
    }

    /// A number in [range.lowerBound, range.upperBound).
    public mutating func uniform(in range: ClosedRange<Double>) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
    }

    /// A standard normal number (Box and Muller's cosine branch; four words each).
    public mutating func normal() -> Double {
        let radius = (-2 * Foundation.log(1 - uniform())).squareRoot()
        return radius * Foundation.cos(2 * Double.pi * uniform())
    }

    /// An index in 0..<count, for a positive count.
    public mutating func index(below count: Int) -> Int {
        precondition(count > 0, "an index needs a positive count")
        return min(Int(uniform() * Double(count)), count - 1)
    }

    /// Equal keys and counters.
    public static func == (left: RandomStream, right: RandomStream) -> Bool {
        left.key == right.key && left.counter == right.counter
    }
}
