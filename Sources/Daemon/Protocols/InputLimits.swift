import SystemPackage

/// How large a dropped file may be. Looked at before anything is decoded, so that a decompression bomb costs nothing.
package struct InputLimits: Sendable, Equatable {
    /// The largest file, in bytes.
    package var bytes: Int
    /// The largest image, in pixels.
    package var pixels: Int

    package init(bytes: Int = 512 << 20, pixels: Int = 64 << 20) {
        self.bytes = bytes
        self.pixels = pixels
    }

    /// An input over a limit.
    struct Excess: Error {
        let message: String
    }

    /// Checks a file's length and, if it begins like a PNG file, the size that its header gives. What is no PNG file
    /// is the worker's to refuse.
    func check(_ path: FilePath, size: Int64, _ files: some StateFileSystem) throws {
        guard size <= Int64(bytes) else {
            throw Excess(message: "the file has \(size) bytes, more than the limit of \(bytes) (limits: bytes)")
        }
        let header = try files.read(path, limit: 24)
        guard header.count == 24, header[..<8].elementsEqual([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
            header[12..<16].elementsEqual("IHDR".utf8)
        else { return }
        func word(_ start: Int) -> Int { header[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } }
        let (width, height) = (word(16), word(20))
        guard width.multipliedReportingOverflow(by: height).overflow == false, width * height <= pixels else {
            throw Excess(
                message: "the image is said to be \(width) x \(height) pixels, more than the limit of \(pixels) in all "
                    + "(limits: pixels)")
        }
    }
}
