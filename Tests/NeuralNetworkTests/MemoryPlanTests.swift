import NeuralNetwork
import Tensors
import Testing

@Suite struct `Memory plan` {
    /// A buffer as the test knows it.
    private struct Use {
        var buffer: MemoryPlan.Buffer
        var byteCount: Int
        /// First and last moment, counted from 0; nil for a buffer that keeps its contents.
        var life: ClosedRange<Int>?

        func isAlive(at moment: Int) -> Bool { life?.contains(moment) ?? true }

        func meets(_ other: Use) -> Bool {
            guard let life, let otherLife = other.life else { return true }
            return life.overlaps(otherLife)
        }
    }

    private static let operations = 12

    /// The moments of a training step in their order.
    private static let moments =
        (0..<operations).map(MemoryPlan.Moment.forward) + [.between]
        + (0..<operations).reversed().map(MemoryPlan.Moment.backward)

    /// A plan of buffers of random sizes and lifetimes.
    private func randomPlan(seed: UInt64) -> (plan: MemoryPlan, uses: [Use]) {
        var stream = RandomStream(seed: seed, name: "memory plan")
        var plan = MemoryPlan()
        var uses: [Use] = []
        for _ in 0..<60 {
            let byteCount = stream.index(below: 5000)
            guard stream.index(below: 10) > 0 else {
                uses.append(Use(buffer: plan.persistentBuffer(byteCount: byteCount), byteCount: byteCount, life: nil))
                continue
            }
            let buffer = plan.buffer(byteCount: byteCount)
            let times = (0...stream.index(below: 3)).map { _ in stream.index(below: Self.moments.count) }
            for time in times { plan.use(buffer, at: Self.moments[time]) }
            uses.append(
                Use(buffer: buffer, byteCount: byteCount, life: (times.min() ?? 0)...(times.max() ?? 0)))
        }
        plan.place()
        return (plan, uses)
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `no two buffers that live at once overlap`(seed: UInt64) {
        let (plan, uses) = randomPlan(seed: seed)
        for (index, use) in uses.enumerated() {
            let place = plan.offset(of: use.buffer)..<plan.offset(of: use.buffer) + use.byteCount
            #expect(place.lowerBound % MemoryPlan.alignment == 0)
            #expect(place.lowerBound >= 0 && place.upperBound <= plan.byteCount)
            for other in uses[..<index] where use.meets(other) {
                let otherPlace = plan.offset(of: other.buffer)..<plan.offset(of: other.buffer) + other.byteCount
                #expect(!place.overlaps(otherPlace))
            }
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `the arena holds the fullest moment and no more than all`(
        seed: UInt64
    ) {
        let (plan, uses) = randomPlan(seed: seed)
        func rounded(_ use: Use) -> Int { (use.byteCount + 63) / 64 * 64 }
        let peak =
            Self.moments.indices.map { moment in
                uses.filter { $0.isAlive(at: moment) }.reduce(0) { $0 + rounded($1) }
            }.max() ?? 0
        #expect(plan.byteCount >= peak)
        #expect(plan.byteCount <= uses.reduce(0) { $0 + rounded($1) })
        // Largest first at the lowest free place comes close to what is needed.
        #expect(Double(plan.byteCount) <= 1.3 * Double(peak))
    }

    @Test func `a chain of maps takes the memory of two`() {
        var plan = MemoryPlan()
        let maps = (0...Self.operations).map { _ in plan.buffer(byteCount: 1000) }
        for operation in 0..<Self.operations {
            plan.use([maps[operation], maps[operation + 1]], at: .forward(operation))
        }
        plan.place()
        #expect(plan.byteCount == 2 * 1024)
    }

    @Test func `moments follow one another as a step runs them`() {
        for (earlier, later) in zip(Self.moments, Self.moments.dropFirst()) { #expect(earlier < later) }
    }
}
