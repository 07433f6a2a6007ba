import Files
import Foundation

/// A bound on the memory of this process that waiting does not change.
package struct MemoryLimit: Sendable, Equatable {
    /// The most bytes.
    package var bytes: Int
    /// What sets it, in words: "the machine has", "the memory limit of the process is".
    var words: String

    /// The least of the bounds there are: the process's own, its control groups', the machine's memory.
    /// - Parameter root: where `/proc` and `/sys` are looked for.
    package static func least(root: String = "") -> MemoryLimit? {
        (resourceLimits() + controlGroups(root) + machine(root)).min { $0.bytes < $1.bytes }
    }

    /// The memory that could be had at present without swapping (`MemAvailable`); nil where the system does not tell.
    package static func available(root: String = "") -> Int? { memoryInformation("MemAvailable", root) }

    private static func resourceLimits() -> [MemoryLimit] {
        [(RLIMIT_DATA, "data"), (RLIMIT_AS, "address space")].compactMap { resource, name in
            var limit = rlimit()
            // No limit is a number that no Int holds.
            guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0,
                let bytes = Int(exactly: limit.rlim_cur)
            else { return nil }
            return MemoryLimit(bytes: bytes, words: "the process's limit of \(name) is")
        }
    }

    /// The limits of the process's control group and all above it, of either version.
    private static func controlGroups(_ root: String) -> [MemoryLimit] {
        var limits: [MemoryLimit] = []
        for line in lines("\(root)/proc/self/cgroup") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let mount: String
            let file: String
            if parts[1].isEmpty {
                (mount, file) = ("\(root)/sys/fs/cgroup", "memory.max")
            } else if parts[1].split(separator: ",").contains("memory") {
                (mount, file) = ("\(root)/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            } else {
                continue
            }
            var group = parts[2].split(separator: "/").map(String.init)
            while true {
                let path = ([mount] + group + [file]).joined(separator: "/")
                if let bytes = lines(path).first.flatMap({ Int($0) }) {
                    limits.append(MemoryLimit(bytes: bytes, words: "the limit of the control group is"))
                }
                guard group.popLast() != nil else { break }
            }
        }
        return limits
    }

    private static func machine(_ root: String) -> [MemoryLimit] {
        memoryInformation("MemTotal", root).map { [MemoryLimit(bytes: $0, words: "the machine has")] } ?? []
    }

    private static func memoryInformation(_ name: String, _ root: String) -> Int? {
        for line in lines("\(root)/proc/meminfo") where line.hasPrefix(name + ":") {
            let kibibytes = line.split(separator: " ").lazy.compactMap { Int($0) }.first
            return kibibytes.flatMap { $0 < Int.max / 1024 ? $0 * 1024 : nil }
        }
        return nil
    }

    private static func lines(_ path: String) -> [Substring] {
        guard let bytes = try? LocalFileSystem().contents(of: path, limit: 1 << 20) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
