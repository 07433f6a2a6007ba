import Foundation
import Imaging
public import Jobs
import Tensors

/// The scores of a restored image and kernel against their references, as `dkp evaluate` prints them.
public struct EvaluationReport: Sendable, Codable, Equatable {
    /// Luma PSNR in decibels.
    public var psnr: Double
    /// Luma SSIM.
    public var ssim: Double
    /// Kernel PSNR in decibels, where kernels were given.
    public var kernelPSNR: Double?
    /// Luma PSNR in decibels of a bicubic enlargement of the input, where the input was given.
    public var bicubicPSNR: Double?
    /// Luma SSIM of that.
    public var bicubicSSIM: Double?

    enum CodingKeys: String, CodingKey {
        case psnr, ssim
        case kernelPSNR = "kernel_psnr"
        case bicubicPSNR = "bicubic_psnr"
        case bicubicSSIM = "bicubic_ssim"
    }

    /// Scores files. The reference may be larger than the image by less than a low-resolution pixel.
    /// - Parameters:
    ///   - scale: s; s^2 pixels are left out on every side.
    ///   - input: the path of the low-resolution image, whose bicubic enlargement is scored too.
    ///   - kernels: the paths of the found and the true kernel. The found one may also be a `result.h5`.
    /// - Throws: what reading throws, and `ImageError` where sizes differ.
    public init(
        restored: String, reference: String, scale: Int, input: String? = nil,
        kernels: (found: String, reference: String)? = nil
    ) throws {
        let image = try Image(file: restored)
        let references = try ReferenceData(
            JobRecord.References(image: reference, kernel: kernels?.reference), height: image.height,
            width: image.width)
        guard let truth = references.image else {
            throw RestorationError(.internalError, "the reference \(reference) was not read")
        }
        let evaluation = try evaluate(restored: image, reference: truth, scale: scale)
        psnr = evaluation.psnr
        ssim = evaluation.ssim
        if let input {
            let bicubic = try Image(file: input).resampledBicubic(height: image.height, width: image.width)
            let evaluation = try evaluate(restored: bicubic, reference: truth, scale: scale)
            bicubicPSNR = evaluation.psnr
            bicubicSSIM = evaluation.ssim
        }
        if let kernels, let truth = references.kernel {
            kernelPSNR = try Imaging.kernelPSNR(try KernelFile.read(kernels.found).map { Float($0) }, truth)
        }
    }

    /// The scores as JSON.
    public func json() throws(RestorationError) -> String {
        String(decoding: try JobJSON.encode(self), as: UTF8.self)
    }

    /// The scores in words.
    public var words: String {
        var text = String(format: "PSNR %.2f dB, SSIM %.4f", psnr, ssim)
        if let kernelPSNR { text += String(format: ", kernel PSNR %.2f dB", kernelPSNR) }
        if let bicubicPSNR, let bicubicSSIM {
            text += String(format: "; bicubic PSNR %.2f dB, SSIM %.4f", bicubicPSNR, bicubicSSIM)
        }
        return text
    }
}
