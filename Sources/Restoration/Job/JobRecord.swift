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
    /// The SHA-256 of `input.png`, in hexadecimal.
    public var inputSHA256: String
    /// The size of `input.png` in bytes.
    public var inputBytes: Int
    /// The resolved settings.
    public var settings: RestorationSettings
    /// Files to score the result against.
    public var references: References?

    enum CodingKeys: String, CodingKey {
        case id, created, settings, references
        case formatVersion = "format_version"
        case originalName = "original_name"
        case softwareVersion = "software_version"
        case inputSHA256 = "input_sha256"
        case inputBytes = "input_bytes"
    }
}
