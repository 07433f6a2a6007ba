import Files
import ImageFormats
import SystemPackage

extension Image {
    /// Reads an image file: PNG of any kind; JPEG, gray or colour; TIFF, gray or RGB of 8 or 16 bits with or without
    /// alpha, or gray of fewer bits, of which the first page is taken. The format is told by the content.
    ///
    /// Sizes are checked against the limits before memory is given to pixels. An orientation that a camera has written
    /// down is applied. The colour profile and the density are carried over.
    ///
    /// - Throws: ``ImageError`` naming the file, what is wrong and the remedy. A file in which damage is found is
    ///   refused as a whole.
    public init(file path: String, limits: ImageLimits = .default) throws(ImageError) {
        let file = try ImageError.converting(path) { () throws(FileError) in try RegularFile(FilePath(path)) }
        guard file.size <= limits.maximumFileBytes else {
            throw .tooLarge(
                path, "the file has \(file.size) bytes", limit: "\(limits.maximumFileBytes) bytes",
                setting: "bytes")
        }
        let header = try ImageHeader { (offset: Int, count: Int) throws(ImageError) in
            try ImageError.converting(path) { () throws(FileError) in
                try file.read(from: offset, count: min(count, max(0, file.size - offset)))
            }
        }
        if let header { try limits.check(width: header.width, height: header.height, name: path) }
        let bytes = try ImageError.converting(path) { () throws(FileError) in try file.bytes() }
        try self.init(data: bytes, name: path, limits: limits)
    }

    /// Decodes an image file held in memory; `name` stands for its path in errors.
    public init(
        data bytes: [UInt8], name: String = "image data", limits: ImageLimits = .default
    ) throws(ImageError) {
        switch ImageFormat(signature: bytes) {
        case .png: try self.init(png: bytes, name: name, limits: limits)
        case .jpeg: try self.init(jpeg: bytes, name: name, limits: limits)
        case .tiff: try self.init(tiff: bytes, name: name, limits: limits)
        case nil:
            let guess = ForeignFormat(bytes)
            throw .notAnImage(name, guess.description, remedy: guess.remedy)
        }
    }
}
