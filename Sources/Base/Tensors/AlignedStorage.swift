/// A block of memory aligned to 64 bytes (a cache line, and the widest vector register), freed with its owner.
///
/// `@unchecked Sendable`: the block is written only through ``Tensor``, which copies it before writing unless it is the
/// only owner.
final class AlignedStorage<Scalar: BitwiseCopyable>: @unchecked Sendable {
    static var alignment: Int { 64 }

    let buffer: UnsafeMutableBufferPointer<Scalar>

    init(count: Int) {
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: max(count, 1) * MemoryLayout<Scalar>.stride, alignment: Self.alignment)
        buffer = UnsafeMutableBufferPointer(
            start: raw.bindMemory(to: Scalar.self, capacity: max(count, 1)), count: count)
    }

    /// Overwrites the block, from its beginning, by as many elements.
    func copy(_ elements: UnsafeBufferPointer<Scalar>) {
        UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(elements))
    }

    deinit { UnsafeMutableRawPointer(buffer.baseAddress)?.deallocate() }
}
