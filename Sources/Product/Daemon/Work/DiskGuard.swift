import Glibc
package import SystemPackage

/// Decides by the free disk space whether work may be begun: not below a floor, and after that not before there is a
/// quarter more than the floor, so that a disk at the edge does not make the daemon start and stop.
package struct DiskGuard: Sendable, Equatable {
    /// Whether there was too little when it was last asked.
    package private(set) var isPaused = false

    package init() {}

    /// Takes note of the free bytes; nil leaves things as they are, as nobody knows.
    /// - Returns: why nothing may be begun; nil if it may.
    package mutating func update(free: Int?, floor: Int) -> String? {
        if let free { isPaused = free < (isPaused ? floor + floor / 4 : floor) }
        guard isPaused else { return nil }
        return "less free disk space than free_space_floor (\(Self.words(floor))); make room"
    }

    /// The free bytes on the file system of a folder, for users without privileges; nil if it does not tell.
    package static func freeSpace(at path: FilePath) -> Int? {
        var status = statvfs()
        guard path.withPlatformString({ statvfs($0, &status) }) == 0 else { return nil }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : Int(clamping: bytes)
    }

    /// "64 MiB", "1.5 GiB".
    package static func words(_ bytes: Int) -> String {
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= size {
            let tenths = bytes / (size / 10)
            return tenths % 10 == 0 || tenths >= 1000
                ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(bytes) bytes"
    }
}
