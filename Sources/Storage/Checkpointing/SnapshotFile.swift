import Files
import Foundation
public import HDF5
import SystemPackage

/// Snapshots as HDF5 files that are complete and unaltered, or refused.
///
/// A file is an ordinary HDF5 file (any HDF5 tool opens it) with the root attributes `format`, `format_version` and
/// `content_sha256` (over all paths, attributes and values), a Fletcher-32 checksum on every dataset that can carry one,
/// and, after the HDF5 part, an end mark of 48 bytes: "DKPDEND1", the length of the HDF5 part (64-bit little-endian) and
/// its SHA-256. A reader checks the end mark before it hands a single byte to the HDF5 library. The same snapshot always
/// gives the same bytes.
public enum SnapshotFile {
    /// The format of checkpoints.
    public static let checkpointFormat = "dkp-checkpoint"
    /// The newest version of the checkpoint format that this program reads, and the one that it writes.
    public static let checkpointVersion = 1

    /// Writes a snapshot durably: after a crash at any moment the path holds the old file or the new one, whole.
    ///
    /// - Parameter staging: the directory, on the same file system, in which the new file is made; nil for the file's own.
    ///   When it is removed, nothing can be put in place from it any more.
    /// - Throws: ``CheckpointError`` with code `invalidPath`, `noSpace`, `permissionDenied`, `notFound` (no such directory)
    ///   or `inputOutput`.
    public static func write(
        _ snapshot: Snapshot, to path: String, format: String = checkpointFormat, version: Int = checkpointVersion,
        from staging: String? = nil
    ) throws(CheckpointError) {
        let bytes = try encode(snapshot, name: path, format: format, version: version)
        try CheckpointError.converting {
            try DurableFile.write(bytes, to: FilePath(path), from: staging.map { FilePath($0) })
        }
    }

    /// Reads a file and verifies all of it.
    ///
    /// - Parameters:
    ///   - format: the format that it must have.
    ///   - version: the newest version that the caller understands.
    /// - Throws: ``CheckpointError`` with code `notFound`, `notReadable`, `exhausted`, `inputOutput`, `damaged`, `wrongFormat` or
    ///   `newerVersion`.
    public static func read(
        from path: String, format: String = checkpointFormat, version: Int = checkpointVersion
    ) throws(CheckpointError) -> Snapshot {
        let bytes = try CheckpointError.converting {
            let file = try open(path)
            // Where the end does not tell of a whole file, nothing of it is worth the memory (a sparse file may be huge).
            guard EndMark.contentLength(in: try file.bytes(last: EndMark.byteCount)) == file.size - EndMark.byteCount
            else { throw incomplete(path, bytes: file.size) }
            return try file.bytes()
        }
        return try decode(bytes, name: path, format: format, version: version)
    }

    /// A snapshot as the bytes of a file; `name` is for messages.
    ///
    /// - Throws: ``CheckpointError`` with code `invalidPath` or `inputOutput`.
    public static func encode(
        _ snapshot: Snapshot, name: String, format: String = checkpointFormat, version: Int = checkpointVersion
    ) throws(CheckpointError) -> [UInt8] {
        try snapshot.checkPaths(name: name)
        let digest = try snapshot.contentDigest(format: format, version: version)
        var bytes: [UInt8]
        do {
            bytes = try HDF5File.image(name: name, spareCapacity: EndMark.byteCount) { file throws(HDF5Error) in
                try file.setAttribute("format", .string(format))
                try file.setAttribute("format_version", .int(Int64(version)))
                try file.setAttribute("content_sha256", .string(digest))
                try snapshot.write(to: file)
            }
        } catch {
            throw CheckpointError(error.code == .invalidArgument ? .invalidPath : .inputOutput, error.message)
        }
        try seal(&bytes)
        return bytes
    }

    /// Puts the end mark after the HDF5 part of a file.
    package static func seal(_ content: inout [UInt8]) throws(CheckpointError) {
        content += try EndMark(of: content[...]).bytes
    }

    /// The snapshot in a file's bytes, all of it verified; `name` is for messages.
    ///
    /// - Throws: ``CheckpointError`` with code `damaged`, `wrongFormat` or `newerVersion`.
    public static func decode(
        _ bytes: [UInt8], name: String, format: String = checkpointFormat, version: Int = checkpointVersion
    ) throws(CheckpointError) -> Snapshot {
        let content = try verifiedContent(of: bytes, name: name)
        do {
            let file = try HDF5File(image: Array(content), name: name)
            try checkFormat(of: file, format: format, version: version)
            var snapshot = try Snapshot(reading: file)
            snapshot.origin = name
            let found = snapshot.removeAttribute("content_sha256")
            _ = snapshot.removeAttribute("format")
            let fileVersion = snapshot.removeAttribute("format_version")?.intValue ?? 0
            guard found == .string(try snapshot.contentDigest(format: format, version: Int(fileVersion))) else {
                throw CheckpointError(.damaged, "\(name): altered: its contents do not match content_sha256")
            }
            return snapshot
        } catch let error as CheckpointError {
            throw error
        } catch {
            throw CheckpointError(.damaged, "\(error)")
        }
    }

    /// What is in an HDF5 file of whatever format, for people to read: groups, datasets, attributes.
    ///
    /// A file with an end mark is verified first, because the HDF5 library can crash on damaged files.
    ///
    /// - Throws: ``CheckpointError`` with code `notFound`, `notReadable`, `exhausted`, `inputOutput`, `damaged`, or `wrongFormat` for
    ///   what is no HDF5 file.
    public static func tree(of path: String) throws(CheckpointError) -> HDF5Node {
        try CheckpointError.converting {
            let file = try open(path)
            if try file.bytes(last: EndMark.byteCount).starts(with: EndMark.magic) {
                _ = try verifiedContent(of: try file.bytes(), name: path)
            }
        }
        do {
            return try HDF5File(reading: path).tree()
        } catch {
            throw CheckpointError(error.code == .cannotOpen ? .wrongFormat : .damaged, error.message)
        }
    }

    /// More bytes than any file of ours has.
    private static let largest = 1 << 38

    private static func open(_ path: String) throws -> RegularFile {
        let file = try RegularFile(FilePath(path))
        // A file may claim any size without taking the room.
        guard file.size <= largest else {
            throw CheckpointError(.damaged, "\(path): claims to have \(file.size) bytes; remove it")
        }
        return file
    }

    /// The HDF5 part of a file, its end mark checked.
    private static func verifiedContent(of bytes: [UInt8], name: String) throws(CheckpointError) -> ArraySlice<UInt8> {
        let content = bytes.dropLast(EndMark.byteCount)
        guard !content.isEmpty, try EndMark(of: content).bytes == Array(bytes[content.endIndex...]) else {
            throw incomplete(name, bytes: bytes.count)
        }
        return content
    }

    private static func incomplete(_ name: String, bytes count: Int) -> CheckpointError {
        CheckpointError(.damaged, "\(name): incomplete or altered: its end mark does not match its \(count) bytes")
    }

    private static func checkFormat(of file: borrowing HDF5File, format: String, version: Int) throws {
        let name = file.name
        guard let found = try? file.attribute("format").stringValue else {
            throw CheckpointError(.wrongFormat, "\(name): no attribute format; expected a file of format \(format)")
        }
        guard found == format else {
            throw CheckpointError(.wrongFormat, "\(name): a file of format \(found), expected \(format)")
        }
        guard let foundVersion = try? file.attribute("format_version").intValue, foundVersion >= 1 else {
            throw CheckpointError(.wrongFormat, "\(name): no usable attribute format_version")
        }
        guard foundVersion <= Int64(version) else {
            throw CheckpointError(
                .newerVersion,
                "\(name): \(format) version \(foundVersion), but this program reads versions up to \(version); "
                    + "continue with the newer program that wrote it")
        }
    }
}

/// What follows the HDF5 part of a file: the proof that all of it was written and none of it altered.
private struct EndMark {
    static let byteCount = 48
    static let magic = Array("DKPDEND1".utf8)

    let bytes: [UInt8]

    /// The length of the HDF5 part that an end mark tells; nil for bytes that are none.
    static func contentLength(in bytes: [UInt8]) -> Int? {
        guard bytes.count == byteCount, bytes.starts(with: magic) else { return nil }
        return Int(exactly: bytes[magic.count..<magic.count + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    init(of content: ArraySlice<UInt8>) throws(CheckpointError) {
        let length = withUnsafeBytes(of: UInt64(content.count).littleEndian) { Array($0) }
        bytes = Self.magic + length + (try CheckpointError.converting { try SHA256.digest(of: content) })
    }
}
