import Files
package import ImageFormats
package import SystemPackage

/// What is told of a job's input by its bytes. They are read and hashed once, when the job is made; from then on the
/// digest in `job.json` goes before the file.
package struct JobInput: Sendable, Equatable {
    /// The format that its first bytes tell; nil if it is none that is read.
    package let format: ImageFormat?
    /// Its SHA-256, in hexadecimal.
    package let sha256: String
    /// Its size in bytes.
    package let bytes: Int

    /// Reads a file to its end; a symbolic link is not followed.
    /// - Throws: ``FileError``, with code `notARegularFile` for what is no regular file.
    package init(_ path: FilePath) throws {
        let file = try RegularFile(path, followingLinks: false)
        try self.init(file, format: Self.format(of: file)) { _ in }
    }

    /// Copies a file, which a link may lead to, into a directory under the name that a job's input has there.
    init(copying source: String, into directory: String) throws {
        let file = try RegularFile(FilePath(source))
        let format = try Self.format(of: file)
        let writer = try FileWriter(creating: "\(directory)/\(JobRecord.inputName(format))")
        try self.init(file, format: format) { try writer.write($0) }
        try writer.synchronise()
    }

    private init(
        _ file: borrowing RegularFile, format: ImageFormat?, _ body: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        let digest = try SHA256()
        var bytes = 0
        try file.readChunks { chunk in
            bytes += chunk.count
            digest.update(chunk)
            try body(chunk)
        }
        self.format = format
        self.bytes = bytes
        sha256 = try digest.finishHexadecimal()
    }

    private static func format(of file: borrowing RegularFile) throws(FileError) -> ImageFormat? {
        ImageFormat(signature: try file.read(count: ImageFormat.signatureLength))
    }
}
