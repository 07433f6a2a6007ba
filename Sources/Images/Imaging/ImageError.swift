public import Failures
import Files
import ImageFormats

/// Why an image could not be read, written or compared: one sentence naming the file, what is wrong with it, and what to
/// do about it.
public struct ImageError: CodedFailure, Equatable {
    /// The kind of failure, for callers that branch on it.
    public enum Code: FailureCode, CaseIterable {
        /// There is no such file.
        case notFound
        /// There is something there, but not an image of a kind that is read: another format, an empty file, a directory, a device.
        case notAnImage
        /// The file is the beginning of an image: it ends too early.
        case truncated
        /// The file claims to be an image, but breaks the format's rules or fails its checksums.
        case corrupt
        /// The image or its file exceeds the limits in force (see ``ImageLimits``), or the memory there is.
        case tooLarge
        /// A valid image of a kind that is not handled here.
        case unsupported
        /// The file is there, but its permissions keep it from being read.
        case notReadable
        /// The system fails to read the file.
        case cannotRead
        /// The system refuses to let the file be written, or the image holds numbers that are not finite.
        case cannotWrite
        /// Two images (or kernels) cannot be measured against each other: their sizes differ, or they are too small.
        case notComparable
    }

    /// The kind of failure.
    public let code: Code
    /// The file, or a description of the bytes, that the failure is about.
    public let path: String
    /// What is wrong, and the remedy, without the path.
    public let reason: String

    /// "path: reason".
    public var message: String { "\(path): \(reason)" }

    init(_ code: Code, _ path: String, _ reason: String) {
        self.code = code
        self.path = path
        self.reason = reason
    }

    /// A file that cannot be read or written; what is no regular file is no image.
    init(_ error: FileError, _ path: String) {
        let code: Code =
            switch error.code {
            case .notFound: .notFound
            case .notReadable: .notReadable
            case .notARegularFile: .notAnImage
            case .tooLarge: .tooLarge
            case .inputOutput, .exhausted: .cannotRead
            case .cannotCreate, .exists, .noSpace: .cannotWrite
            }
        self.init(code, path, error.reason)
    }

    /// What comes of a body, its errors in the form of this type.
    static func converting<Result: ~Copyable>(
        _ path: String, _ body: () throws(FileError) -> Result
    ) throws(ImageError) -> Result {
        do {
            return try body()
        } catch {
            throw ImageError(error, path)
        }
    }

    /// The same failure, of a file that is known by another name.
    public func named(_ name: String) -> ImageError { ImageError(code, name, reason) }
}

extension ImageError.Code {
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus {
        switch self {
        case .notFound, .notReadable: .noInput
        case .notAnImage, .truncated, .corrupt, .tooLarge, .unsupported, .notComparable: .badInput
        case .cannotRead: .inputOutput
        case .cannotWrite: .cannotCreate
        }
    }
}

// The wording of every failure, in one place.
extension ImageError {
    static func notAnImage(
        _ path: String, _ what: String, remedy: String = "give one of these (convert other formats first)"
    ) -> ImageError {
        ImageError(.notAnImage, path, "\(what), not a PNG, JPEG or TIFF image; \(remedy)")
    }

    static func truncated(_ path: String, _ format: ImageFormat, _ detail: String) -> ImageError {
        ImageError(.truncated, path, "the \(format.name) file is cut off (\(detail)); copy or export it again in full")
    }

    static func corrupt(_ path: String, _ format: ImageFormat, _ detail: String) -> ImageError {
        ImageError(.corrupt, path, "the \(format.name) file is damaged (\(detail)); copy or export it again")
    }

    static func unsupported(
        _ path: String, _ format: ImageFormat, _ detail: String, remedy: String? = nil
    ) -> ImageError {
        ImageError(
            .unsupported, path,
            "a \(format.name) image of a kind that is not read (\(detail)); "
                + (remedy ?? "convert it to gray or RGB of 8 or 16 bits"))
    }

    /// - Parameter setting: the name of the limit among the settings of `dkp` and `dkpd`; nil for one that is fixed.
    static func tooLarge(_ path: String, _ what: String, limit: String, setting: String?) -> ImageError {
        ImageError(
            .tooLarge, path,
            "\(what), above the limit of \(limit); crop or reduce the image"
                + (setting.map { ", or raise the limit (limits: \($0) in dkpd.yaml, --limits-\($0) of dkp restore)" }
                    ?? ""))
    }

    static func noMemory(_ path: String) -> ImageError {
        ImageError(
            .tooLarge, path, "there is not enough memory for the image; crop it, or give the process more memory")
    }

    static func notComparable(_ what: String, _ detail: String) -> ImageError {
        ImageError(.notComparable, what, detail)
    }
}
