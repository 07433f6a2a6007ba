package import Files
import SystemPackage

/// A job's log, open for adding to its end, which never grows over a limit: where the next piece would take it there, the
/// file is first cut to half of the limit. So the beginning, which says what was done, and the latest are kept.
///
/// Everybody who writes into the log does it through this, and each piece is one append: two writers do not overwrite
/// each other, and each cuts for both.
package struct BoundedLog: ~Copyable, Sendable {
    /// The most that a job's log may hold, in bytes.
    package static let most = 16 << 20

    private let file: FileWriter
    private let most: Int

    /// Opens the log, creating it if it is missing. Nothing but a regular file is opened, and no link followed.
    /// - Parameter most: the most that it may hold, in bytes.
    package init(appendingTo path: String, most: Int = most) throws(FileError) {
        self.most = most
        do throws(FileError) {
            file = try FileWriter(appendingTo: path)
        } catch {
            // A directory, a FIFO or a link says of itself why it cannot be opened, each in its way.
            guard let kind = try? LocalFileSystem().status(FilePath(path))?.kind, kind != .regular else { throw error }
            throw FileError(.notARegularFile, FilePath(path), "is not a regular file", remedy: "move it away")
        }
    }

    /// Adds bytes to the end; of more than a quarter of the limit the last ones.
    package borrowing func write(_ bytes: ArraySlice<UInt8>) throws(FileError) {
        let rest = bytes.suffix(most / 4)
        try cut(toAdd: rest.count)
        try file.write(rest)
    }

    /// Cuts the log if there is no room in it for so many bytes more. This works on a full disk, too.
    package borrowing func cut(toAdd count: Int = 0) throws(FileError) {
        guard try file.size() > most - count else { return }
        try file.truncate(to: most / 2)
        // Best left out where there is no room even for it.
        try? file.write(Array("\n[the log had grown over \(most) bytes and was cut here]\n".utf8)[...])
    }
}
