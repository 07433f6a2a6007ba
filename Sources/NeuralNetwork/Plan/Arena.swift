/// One block of memory, zeroed, aligned to a page, freed with its owner.
final class Arena {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    init(byteCount: Int) {
        self.byteCount = max(byteCount, 64)
        base = .allocate(byteCount: self.byteCount, alignment: 4096)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: self.byteCount)
    }

    deinit { base.deallocate() }
}
