import Glibc

/// How often each of some steps asks for memory, where Benchmarks/allocations.c is preloaded and counts.
struct StepAllocations: Encodable {
    /// By step, the allocations of the program itself and of the Swift runtime on its behalf.
    private(set) var own: [Int] = []
    /// The bytes of the largest of those.
    private(set) var largestOwnBytes = 0
    /// By step, the allocations of other libraries: oneDNN, OpenMP.
    private(set) var libraries: [Int] = []

    private enum CodingKeys: String, CodingKey { case own, largestOwnBytes, libraries }

    private typealias Counter = @convention(c) (UnsafeMutablePointer<Int64>) -> Void
    private let counter: Counter

    /// Nil where nothing counts.
    init?() {
        guard let symbol = dlsym(nil, "dkp_benchmark_allocations") else { return nil }
        counter = unsafeBitCast(symbol, to: Counter.self)
    }

    /// Counts a step.
    mutating func count(_ step: () throws -> Void) rethrows {
        var before: (Int64, Int64, Int64) = (0, 0, 0)
        var after = before
        Self.read(counter, &before)
        try step()
        Self.read(counter, &after)
        own.append(Int(after.0 - before.0))
        libraries.append(Int(after.1 - before.1))
        largestOwnBytes = max(largestOwnBytes, Int(after.2))
    }

    private static func read(_ counter: Counter, _ counts: inout (Int64, Int64, Int64)) {
        withUnsafeMutableBytes(of: &counts) { bytes in
            if let base = bytes.assumingMemoryBound(to: Int64.self).baseAddress { counter(base) }
        }
    }
}
