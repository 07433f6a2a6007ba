public import Foundation

/// What `report.json` says about a finished job.
public struct Report: Sendable, Codable, Equatable {
    /// The size and kind of an image.
    public struct ImageDescription: Sendable, Codable, Equatable {
        /// Pixels in a row.
        public var width: Int
        /// Pixels in a column.
        public var height: Int
        /// Colour channels, 1 or 3.
        public var channels: Int
        /// Bits of a sample in the file.
        public var bitDepth: Int
        /// Whether there is an alpha plane.
        public var hasAlpha: Bool

        enum CodingKeys: String, CodingKey {
            case width, height, channels
            case bitDepth = "bit_depth"
            case hasAlpha = "alpha"
        }
    }

    /// The losses after the last step.
    public struct Losses: Sendable, Codable, Equatable {
        /// The image's.
        public var image: Double?
        /// The kernel's, at the last step that touched it.
        public var kernel: Double?
    }

    /// The format's name and version.
    public var format = "dkp-report"
    /// The version of the format.
    public var formatVersion = 1
    /// The job's id.
    public var jobID: String
    /// The name of the user's file.
    public var originalName: String
    /// The resolved settings.
    public var settings: RestorationSettings
    /// The seed of every random number.
    public var seed: UInt64
    /// Versions of the program and of the formats.
    public var versions: [String: String]
    /// SHA-256 of the input file.
    public var inputSHA256: String
    /// The input.
    public var input: ImageDescription
    /// The restored image.
    public var output: ImageDescription
    /// Rows and columns of the kernel.
    public var kernelSize: Int
    /// Steps done.
    public var steps: Int
    /// Seconds of computing, all runs together, steps done twice included.
    public var seconds: Double
    /// Compute threads of the last run.
    public var threads: Int
    /// The most memory that any run has held, in bytes.
    public var peakMemoryBytes: Int
    /// Runs that did not come to the end: killed, stopped or failed.
    public var interruptions: Int
    /// Runs that went on from a checkpoint.
    public var resumes: Int
    /// When the job was created.
    public var created: Date
    /// When the result was complete.
    public var finished: Date
    /// The losses after the last step.
    public var finalLosses: Losses
    /// Luma PSNR in decibels, with a reference image.
    public var psnr: Double?
    /// Luma SSIM, with a reference image.
    public var ssim: Double?
    /// Kernel PSNR in decibels, with a reference kernel.
    public var kernelPSNR: Double?
    /// Luma PSNR of a bicubic enlargement of the input, with a reference image.
    public var bicubicPSNR: Double?
    /// Luma SSIM of a bicubic enlargement of the input, with a reference image.
    public var bicubicSSIM: Double?
    /// What was out of the ordinary, in sentences.
    public var notes: [String]

    enum CodingKeys: String, CodingKey {
        case format, settings, seed, versions, input, output, steps, seconds, threads, interruptions, resumes, created
        case finished, psnr, ssim, notes
        case formatVersion = "format_version"
        case jobID = "job_id"
        case originalName = "original_name"
        case inputSHA256 = "input_sha256"
        case kernelSize = "kernel_size"
        case peakMemoryBytes = "peak_memory_bytes"
        case finalLosses = "final_losses"
        case kernelPSNR = "kernel_psnr"
        case bicubicPSNR = "bicubic_psnr"
        case bicubicSSIM = "bicubic_ssim"
    }

    /// The report in a result directory.
    /// - Throws: ``FileSystemError`` or ``RestorationError``.
    public static func read(_ path: String) throws -> Report { try JobJSON.decode(Report.self, fromFile: path) }
}
