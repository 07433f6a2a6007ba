import Files
public import ImageFormats
public import Foundation

/// What a job was asked to do, written once as `job.json` when the job is created.
public struct JobRecord: Sendable, Codable, Equatable {
    /// The version of this file's layout.
    public static let formatVersion = 1

    /// Files that the result is scored against, never shown to the method.
    public struct References: Sendable, Codable, Equatable {
        /// The path of the true high-resolution image.
        public var image: String?
        /// The path of the true kernel, an HDF5 file.
        public var kernel: String?

        /// The given paths.
        public init(image: String? = nil, kernel: String? = nil) {
            self.image = image
            self.kernel = kernel
        }
    }

    /// The version of this file's layout.
    public var formatVersion = JobRecord.formatVersion
    /// The job's own name, unique over all machines and times.
    public var id: String
    /// The name of the file that the user gave, without its directory.
    public var originalName: String
    /// When the job was created.
    public var created: Date
    /// The version of the program that created the job.
    public var softwareVersion: String
    /// The format of the input; nil, in older jobs, stands for PNG.
    public var inputFormat: ImageFormat?
    /// The SHA-256 of the input, in hexadecimal.
    public var inputSHA256: String
    /// The size of the input in bytes.
    public var inputBytes: Int
    /// The resolved settings.
    public var settings: RestorationSettings
    /// Files to score the result against.
    public var references: References?

    /// The record of a new job.
    init(
        id: String, originalName: String, input: JobInput, settings: RestorationSettings, references: References? = nil
    ) {
        self.id = id
        self.originalName = originalName
        created = Date()
        softwareVersion = Software.version
        inputFormat = input.format
        inputSHA256 = input.sha256
        inputBytes = input.bytes
        self.settings = settings
        self.references = references
    }

    /// The name of the input in a job's directory and in its result: its own bytes under a plain name.
    public var inputName: String { Self.inputName(inputFormat) }

    /// Every name that an input may have.
    package static var inputNames: [String] { ImageFormat.allCases.map { inputName($0) } }

    /// What is no image is for the worker to refuse; until then it is called as most are.
    package static func inputName(_ format: ImageFormat?) -> String { "input.\((format ?? .png).fileExtension)" }

    enum CodingKeys: String, CodingKey {
        case id, created, settings, references
        case formatVersion = "format_version"
        case originalName = "original_name"
        case softwareVersion = "software_version"
        case inputFormat = "input_format"
        case inputSHA256 = "input_sha256"
        case inputBytes = "input_bytes"
    }
}

extension JobRecord {
    /// `job.json`: the record, and the SHA-256 of the file's own bytes with zeros for its digits, so that a flipped bit
    /// cannot turn what was asked into something else.
    private struct Sealed: Codable {
        var record: JobRecord
        var checksum: String?

        enum CodingKeys: String, CodingKey {
            case checksum
        }

        init(_ record: JobRecord, checksum: String) {
            self.record = record
            self.checksum = checksum
        }

        init(from decoder: any Decoder) throws {
            record = try JobRecord(from: decoder)
            checksum = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .checksum)
        }

        func encode(to encoder: any Encoder) throws {
            try record.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(checksum, forKey: .checksum)
        }
    }

    private static func digest(of bytes: [UInt8]) throws -> String {
        let digest = try SHA256()
        digest.update(bytes[...])
        return try digest.finishHexadecimal()
    }

    private static let unsealed = String(repeating: "0", count: 64)

    /// The bytes of `job.json`.
    package func json() throws -> [UInt8] {
        let bytes = try JobJSON.encode(Sealed(self, checksum: Self.unsealed))
        let text = String(decoding: bytes, as: UTF8.self)
        return Array(text.replacing(Self.unsealed, with: try Self.digest(of: bytes), maxReplacements: 1).utf8)
    }

    /// Reads `job.json`. A record without a checksum, of an earlier version of the program, is taken as it is.
    /// - Throws: ``FileError`` or ``RestorationError``.
    package static func read(_ path: String) throws -> JobRecord {
        let sealed = try JobJSON.decode(Sealed.self, fromFile: path)
        guard let checksum = sealed.checksum else { return sealed.record }
        let text = String(decoding: try LocalFileSystem().contents(of: path), as: UTF8.self)
        let bytes = Array(text.replacing(checksum, with: unsealed, maxReplacements: 1).utf8)
        guard try digest(of: bytes) == checksum else {
            throw RestorationError(
                .badInput, "\(path): altered: it does not match its checksum", remedy: "start a new job with the image")
        }
        return sealed.record
    }
}
