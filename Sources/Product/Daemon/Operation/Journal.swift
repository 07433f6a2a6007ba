import CSystemd
import Foundation
import Glibc

/// The system's journal, reached through libsystemd.
package enum Journal {
    /// A field of an entry: a name of capital letters, digits and underscores, and any text.
    package struct Field: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    /// Whether standard error is the journal's stream, as systemd says by naming its device and inode.
    static let isStandardError: Bool = {
        var status = stat()
        guard let stream = ProcessInfo.processInfo.environment["JOURNAL_STREAM"], fstat(STDERR_FILENO, &status) == 0
        else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }()

    /// Writes one entry. Values travel with their length, so that line feeds and anything else in them are safe.
    /// - Returns: whether the journal took it.
    static func send(_ fields: [Field]) -> Bool {
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for field in fields {
            let start = bytes.count
            bytes += field.name.utf8
            bytes.append(UInt8(ascii: "="))
            bytes += field.value.utf8
            ranges.append(start..<bytes.count)
        }
        return bytes.withUnsafeMutableBytes { buffer in
            let vectors = ranges.map { range in
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
                return iovec(iov_base: piece.baseAddress, iov_len: piece.count)
            }
            return sd_journal_sendv(vectors, CInt(vectors.count)) == 0
        }
    }
}
