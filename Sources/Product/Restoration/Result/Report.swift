public import Foundation
import KernelPrior
public import Jobs
public import KernelFamilies
import Tensors

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

    /// The estimated blur in numbers, in pixels of the restored image.
    public struct KernelShape: Sendable, Codable, Equatable {
        /// The category that was settled on; nil where the kernel was given or came from a network.
        public var category: KernelCategory?
        /// How sure the kernel is; nil where that is not known.
        public var confidence: KernelConfidence?
        /// The standard deviation along the main axis.
        public var majorStandardDeviation: Double
        /// The standard deviation across the main axis.
        public var minorStandardDeviation: Double
        /// The main axis's angle in degrees, 0 to 180, from the columns' axis towards the rows'.
        public var angle: Double
        /// The centre of mass, in rows from the first.
        public var centreRow: Double
        /// The centre of mass, in columns from the first.
        public var centreColumn: Double

        enum CodingKeys: String, CodingKey {
            case category, confidence
            case majorStandardDeviation = "major_deviation"
            case minorStandardDeviation = "minor_deviation"
            case angle = "angle_degrees"
            case centreRow = "centre_row"
            case centreColumn = "centre_column"
        }

        /// The shape of a kernel `[n, n]` of sum 1.
        init(_ kernel: Tensor<Float>, category: KernelCategory?, confidence: KernelConfidence?) {
            let moments = KernelMoments(kernel)
            self.category = category
            self.confidence = confidence
            majorStandardDeviation = max(0, moments.major).squareRoot()
            minorStandardDeviation = max(0, moments.minor).squareRoot()
            angle = moments.angle * 180 / .pi
            centreRow = moments.row
            centreColumn = moments.column
        }
    }

    /// The losses after the last step.
    public struct Losses: Sendable, Codable, Equatable {
        /// The image's.
        public var image: Double?
        /// The kernel's, at the last step that touched it.
        public var kernel: Double?
    }

    /// The name of this format.
    public static let formatName = Software.reportFormat

    /// The format's name.
    public var format = Report.formatName
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
    /// The kernel in numbers.
    public var kernel: KernelShape
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
        case format, settings, seed, versions, input, output, kernel, steps, seconds, threads, interruptions, resumes,
            created
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
    /// - Throws: ``FileError`` or ``RestorationError``.
    public static func read(_ path: String) throws -> Report { try JobJSON.decode(Report.self, fromFile: path) }
}
