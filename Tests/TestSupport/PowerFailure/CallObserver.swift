import CSystemCalls
import Glibc
import Synchronization

/// Finds the recording that a system call is for, among those under way: suites run side by side in one process.
enum CallObserver {
    private static let recordings = Mutex<[DiskRecording]>([])

    /// Tells a recording of every call within its folder while `body` runs.
    static func observe<Result>(_ recording: DiskRecording, _ body: () throws -> Result) rethrows -> Result {
        recordings.withLock { $0.append(recording) }
        defer { recordings.withLock { $0.removeAll { $0 === recording } } }
        dkp_observe_calls(
            { _, path, descriptor in
                CallObserver.begin(path, descriptor)
            },
            { observer, name, descriptor, succeeded in
                let recording = Unmanaged<DiskRecording>.fromOpaque(observer).takeRetainedValue()
                recording.end(String(cString: name), descriptor, succeeded: succeeded != 0)
            })
        return try body()
    }

    private static func begin(_ path: UnsafePointer<CChar>?, _ descriptor: CInt) -> UnsafeMutableRawPointer? {
        guard !recordings.withLock({ $0.isEmpty }) else { return nil }
        let place = path.map { absolute(String(cString: $0)) } ?? self.path(of: descriptor)
        guard let recording = recordings.withLock({ $0.first { place.hasPrefix($0.root + "/") || place == $0.root } })
        else { return nil }
        recording.begin()
        return Unmanaged.passRetained(recording).toOpaque()
    }

    /// The path with a descriptor's own name in /proc, by which a directory that is held open is called, resolved.
    private static func absolute(_ path: String) -> String {
        let beginning = "/proc/self/fd/"
        guard path.hasPrefix(beginning) else { return path }
        let parts = path.dropFirst(beginning.count).split(separator: "/", maxSplits: 1)
        guard let descriptor = parts.first.flatMap({ CInt($0) }) else { return path }
        return ([Self.path(of: descriptor)] + parts.dropFirst().map(String.init)).joined(separator: "/")
    }

    private static func path(of descriptor: CInt) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlink("/proc/self/fd/\(descriptor)", $0, text.count) } ?? 0
            }
        }
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
