import Glibc

/// One block of zeroed memory, aligned to a page, given back with its owner. Pages count as used once they are written.
final class Arena {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    init(byteCount: Int) throws(NeuralNetworkError) {
        self.byteCount = max(byteCount, 64)
        guard
            let base = mmap(nil, self.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            base != MAP_FAILED
        else {
            let reason = String(cString: strerror(errno))
            throw .memory("\(byteCount >> 20) MiB of memory for a network are not to be had: \(reason)")
        }
        self.base = base
        // Convolutions walk through many planes at once: large pages spare them misses in the page tables. A system that
        // has none says so, and nothing is lost.
        if self.byteCount >= 1 << 22 { madvise(base, self.byteCount, MADV_HUGEPAGE) }
    }

    deinit { munmap(base, byteCount) }
}
