import Tensors
public import Testing

/// What a power failure takes of what was not synchronised. A disk may do any of these.
public enum PowerLoss: Sendable, Hashable, CustomTestStringConvertible {
    /// All of it: names that were made, changed or removed since their directory was synchronised, and bytes that were
    /// written since their file was.
    case everything
    /// The bytes alone: a file has its new name and none of its new content. What a journal of names alone allows.
    case bytes
    /// Some of it, by chance.
    case some(seed: UInt64)

    /// All ways of failing that tests try.
    public static let all: [PowerLoss] = [.everything, .bytes] + (1...4).map { .some(seed: $0) }

    /// One of each, for tests that take long.
    public static let few: [PowerLoss] = [.everything, .bytes, .some(seed: 1)]

    /// The loss in words.
    public var testDescription: String {
        switch self {
        case .everything: "everything is lost"
        case .bytes: "bytes are lost and names kept"
        case .some(let seed): "some is lost, case \(seed)"
        }
    }
}

/// A disk that keeps for certain only what was synchronised: the bytes of a file as of its last fsync, the names in a
/// directory as of the directory's.
///
/// As strict as the rules of POSIX, and stricter than most file systems: that a file or directory was synchronised says
/// nothing of its own name, nor of the directories above it. One thing is granted, which every file system with a journal
/// keeps to: a rename has happened or not, from one directory to another too, and has happened for certain once either
/// of the two was synchronised.
struct VolatileDisk {
    /// What one system call did to names, nil for one that is gone.
    private typealias Change = [DiskContents.Name: Int?]

    private var kept: DiskContents
    private var present: DiskContents
    /// The latest bytes of every file that there ever was.
    private var lastBytes: [Int: [UInt8]]
    private var pending: [Change] = []

    /// A disk that has kept all of this.
    init(_ contents: DiskContents) {
        kept = contents
        present = contents
        lastBytes = contents.files
    }

    /// Goes on to what there is after the next call.
    /// - Parameter synchronised: the node that the call synchronised.
    mutating func advance(to contents: DiskContents, synchronised node: Int?) {
        let change = Self.change(from: present.names, to: contents.names)
        if !change.isEmpty { pending.append(change) }
        present = contents
        kept.directories.formUnion(contents.directories)
        lastBytes.merge(contents.files) { $1 }
        guard let node else { return }
        if let bytes = contents.files[node] { kept.files[node] = bytes }
        if contents.directories.contains(node) {
            keep { $0.keys.contains { $0.directory == node } }
        }
    }

    /// What there is when the power comes back.
    func contents(after loss: PowerLoss) -> DiskContents {
        var left = self
        switch loss {
        case .everything: break
        case .bytes: left.keep { _ in true }
        case .some(let seed):
            var stream = RandomStream(seed: seed, name: "power failure \(pending.count) \(lastBytes.count)")
            left.keep { _ in stream.uniform() < 0.5 }
            for (node, bytes) in lastBytes.sorted(by: { $0.key < $1.key }) where bytes != kept.files[node] {
                switch stream.index(below: 4) {
                case 0: break
                case 1: left.kept.files[node] = bytes
                case 2: left.kept.files[node] = Array(bytes.prefix(stream.index(below: bytes.count + 1)))
                default: left.kept.files[node] = bytes.map { _ in 0 }
                }
            }
        }
        return left.kept.reachable
    }

    /// Makes changes certain, and with each the earlier ones that it rests on.
    private mutating func keep(_ isChosen: (Change) -> Bool) {
        var chosen = pending.map(isChosen)
        for index in pending.indices.reversed() where chosen[index] {
            for earlier in 0..<index where !pending[earlier].keys.allSatisfy({ pending[index][$0] == nil }) {
                chosen[earlier] = true
            }
        }
        for (change, isChosen) in zip(pending, chosen) where isChosen {
            for (name, node) in change { kept.names[name] = node }
        }
        pending = zip(pending, chosen).filter { !$0.1 }.map(\.0)
    }

    private static func change(from old: [DiskContents.Name: Int], to new: [DiskContents.Name: Int]) -> Change {
        var change: Change = [:]
        for (name, node) in old where new[name] != node { change[name] = .some(new[name]) }
        for (name, node) in new where old[name] != node { change[name] = .some(node) }
        return change
    }
}
