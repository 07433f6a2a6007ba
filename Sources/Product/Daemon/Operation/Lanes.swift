import Dispatch
import Synchronization

/// Threads for work that waits for the disk, so that it keeps none of the few that Swift's tasks share.
struct Lanes: Sendable {
    private let queue = DispatchQueue(label: "lanes", attributes: .concurrent)
    private let count: Int

    /// - Parameter count: how many elements are worked on at a time.
    init(count: Int) { self.count = count }

    /// The results of `body` for every element, in their order.
    func map<Element: Sendable, Result: Sendable>(
        _ elements: [Element], _ body: @escaping @Sendable (Element) -> Result
    ) async -> [Result] {
        let work = Work<Element, Result>(elements)
        return await withCheckedContinuation { continuation in
            let group = DispatchGroup()
            for _ in 0..<min(count, elements.count) {
                queue.async(group: group) {
                    while let (index, element) = work.next() { work.finish(index, body(element)) }
                }
            }
            group.notify(queue: queue) { continuation.resume(returning: work.results) }
        }
    }

    /// What the lanes share.
    private final class Work<Element: Sendable, Result: Sendable>: Sendable {
        private let elements: [Element]
        private let state: Mutex<(next: Int, results: [Int: Result])>

        init(_ elements: [Element]) {
            self.elements = elements
            state = Mutex((0, [:]))
        }

        func next() -> (Int, Element)? {
            let index = state.withLock { state in
                defer { state.next += 1 }
                return state.next
            }
            return index < elements.count ? (index, elements[index]) : nil
        }

        func finish(_ index: Int, _ result: Result) { state.withLock { $0.results[index] = result } }

        /// The results, once all elements are done.
        var results: [Result] { state.withLock { state in elements.indices.compactMap { state.results[$0] } } }
    }
}
