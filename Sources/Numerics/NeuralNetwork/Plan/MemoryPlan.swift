/// Where every buffer of a network lies in one arena, so that buffers whose lifetimes do not overlap share memory.
package struct MemoryPlan {
    /// A buffer of the plan.
    package struct Buffer: Hashable, Sendable {
        fileprivate let index: Int
    }

    /// A moment of a training step: the forward passes of the operations in order, the caller's turn, then the backward
    /// passes in reverse order.
    package struct Moment: Comparable, Sendable {
        private let rank: Int

        package static func forward(_ operation: Int) -> Moment { Moment(rank: operation - Int(Int32.max)) }
        package static func backward(_ operation: Int) -> Moment { Moment(rank: Int(Int32.max) - operation) }
        /// Between the passes, when the caller reads the output and writes its gradient.
        package static var between: Moment { Moment(rank: 0) }

        package static func < (left: Moment, right: Moment) -> Bool { left.rank < right.rank }
    }

    private struct Lifetime {
        var byteCount: Int
        var first: Moment?
        var last: Moment?
        var isPersistent = false
        var offset = 0

        func overlaps(_ other: Lifetime) -> Bool {
            if isPersistent || other.isPersistent { return true }
            guard let first, let last, let otherFirst = other.first, let otherLast = other.last else { return false }
            return first <= otherLast && otherFirst <= last
        }
    }

    /// What every offset divides by: a cache line.
    package static let alignment = 64

    private var lifetimes: [Lifetime] = []
    /// The size of the arena, known after ``place()``.
    package private(set) var byteCount = 0

    package init() {}

    /// A buffer that lives from its first to its last use.
    package mutating func buffer(byteCount: Int) -> Buffer {
        lifetimes.append(Lifetime(byteCount: (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment))
        return Buffer(index: lifetimes.count - 1)
    }

    /// A buffer that keeps its contents from step to step.
    package mutating func persistentBuffer(byteCount: Int) -> Buffer {
        let buffer = buffer(byteCount: byteCount)
        lifetimes[buffer.index].isPersistent = true
        return buffer
    }

    /// Says that `buffer` is read or written at `moment`.
    package mutating func use(_ buffer: Buffer, at moment: Moment) {
        lifetimes[buffer.index].first = min(lifetimes[buffer.index].first ?? moment, moment)
        lifetimes[buffer.index].last = max(lifetimes[buffer.index].last ?? moment, moment)
    }

    /// Says that some buffers are read or written at `moment`.
    package mutating func use(_ buffers: [Buffer], at moment: Moment) {
        for buffer in buffers { use(buffer, at: moment) }
    }

    /// Gives every buffer its offset: largest first, each at the lowest place free for its lifetime.
    package mutating func place() {
        var placed: [Int] = []
        let order = lifetimes.indices.sorted {
            (lifetimes[$0].byteCount, $1) > (lifetimes[$1].byteCount, $0)
        }
        for index in order {
            let neighbours = placed.filter { lifetimes[$0].overlaps(lifetimes[index]) }
                .sorted { lifetimes[$0].offset < lifetimes[$1].offset }
            var offset = 0
            for neighbour in neighbours {
                if lifetimes[neighbour].offset >= offset + lifetimes[index].byteCount { break }
                offset = max(offset, lifetimes[neighbour].offset + lifetimes[neighbour].byteCount)
            }
            lifetimes[index].offset = offset
            byteCount = max(byteCount, offset + lifetimes[index].byteCount)
            placed.append(index)
        }
    }

    /// The place of a buffer in the arena.
    package func offset(of buffer: Buffer) -> Int { lifetimes[buffer.index].offset }
}
