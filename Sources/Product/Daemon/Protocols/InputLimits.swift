import Files
import ImageFormats
import Subprocess
import SystemPackage

/// How large a dropped file may be. Looked at before anything is decoded, so that a decompression bomb costs nothing.
package struct InputLimits: Sendable, Equatable {
    /// The largest file, in bytes.
    package var bytes: Int
    /// The largest image, in pixels.
    package var pixels: Int
    /// The greatest width and height, in pixels.
    package var side: Int

    package init(bytes: Int = 512 << 20, pixels: Int = 64 << 20, side: Int = 32_768) {
        self.bytes = bytes
        self.pixels = pixels
        self.side = side
    }

    /// What tells a worker of the limits: the variables that `dkp` takes them from.
    var variables: [Environment.Key: String?] {
        let values = [DaemonSettingKey.maximumBytes: bytes, .maximumPixels: pixels, .maximumSide: side]
        return values.reduce(into: [:]) { variables, value in
            variables[Environment.Key(stringLiteral: SettingName.daemon(value.key).variable)] = .some(
                String(value.value))
        }
    }

    /// Checks a file's length and the size that the image's header gives. What has no such header is the worker's to
    /// refuse.
    /// - Parameter name: what the file is called for people.
    /// - Throws: ``FileError`` with code `tooLarge` for what is over a limit.
    func check(_ path: FilePath, called name: String, size: Int64, _ files: some FileSystem) throws(FileError) {
        func excess(_ problem: String) -> FileError { FileError(.tooLarge, FilePath(name), problem) }
        guard size <= Int64(bytes) else {
            throw excess("the file has \(size) bytes, more than the limit of \(bytes) (limits: bytes)")
        }
        let header = try ImageHeader { (offset: Int, count: Int) throws(FileError) in
            try files.read(path, from: Int64(offset), limit: count)
        }
        guard let header else { return }
        let (width, height) = (header.width, header.height)
        guard max(width, height) <= side else {
            throw excess(
                "the image is said to be \(width) x \(height) pixels, more than the limit of \(side) a side "
                    + "(limits: side)")
        }
        guard width.multipliedReportingOverflow(by: height).overflow == false, width * height <= pixels else {
            throw excess(
                "the image is said to be \(width) x \(height) pixels, more than the limit of \(pixels) in all "
                    + "(limits: pixels)")
        }
    }
}
