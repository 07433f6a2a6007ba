import ArgumentParser
import CParallel
import Foundation
import Imaging
import Jobs
import KernelFamilies
import Restoration
import Tensors

/// Restores one picture, degraded for the purpose, with parts of a method left out.
struct AblationBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ablation", abstract: "Restores a picture with parts of a method left out or varied.",
        discussion: "Prints a row of a Markdown table for each variant: the variant, luma PSNR and SSIM, kernel PSNR, "
            + "seconds. The first row is that of the bicubic enlargement.")

    @Argument(help: "A sharp picture.") var picture: String
    @Option(help: "The kernel that blurs it (HDF5).") var kernel: String
    @Option(help: "Rows and columns taken of the picture, from its top left.") var size = 160
    @Option(help: "The scale factor.") var scale = 4
    @Option(help: "The seed.") var seed: UInt64 = 0
    @Option(help: "Threads.") var threads = 1
    @Option(help: "The variants, by default all: \(Ablation.allCases.map(\.rawValue).joined(separator: ", ")).")
    var variants: [String] = []

    func run() throws {
        dkp_set_thread_count(Int32(threads))
        let chosen = try variants.map { name in
            guard let variant = Ablation(rawValue: name) else { throw ValidationError("there is no variant \(name)") }
            return variant
        }
        let whole = try Image(file: picture)
        let truth = whole.cropped(height: min(size, whole.height), width: min(size, whole.width))
        let kernel = try KernelFile.read(self.kernel)
        let degraded = try SyntheticDegradation(scale: scale, kernel: kernel).apply(to: truth)
        // As a file of 8 bits holds it.
        let input = Image(colour: degraded.colour.roundedToEightBits())
        let enlarged = input.resampledBicubic(height: truth.height, width: truth.width)
        let bicubic = try evaluate(restored: enlarged, reference: truth, scale: scale)
        Swift.print(row("bicubic", bicubic, kernel: nil, seconds: nil))
        for variant in chosen.isEmpty ? Ablation.allCases : chosen {
            let clock = ContinuousClock()
            var estimate: RestorationEstimate?
            let seconds = try clock.measure { estimate = try restored(input.colour, variant) } / .seconds(1)
            guard let estimate else { continue }
            let score = try evaluate(
                restored: Image(colour: estimate.image), reference: truth, scale: scale)
            Swift.print(
                row(
                    variant.rawValue, score, kernel: try kernelPSNR(estimate.kernel, kernel.map { Float($0) }),
                    seconds: seconds))
        }
    }

    private func row(_ name: String, _ score: Evaluation, kernel: Double?, seconds: Double?) -> String {
        func text(_ value: Double?, _ digits: Int) -> String { value.map { String(format: "%.\(digits)f", $0) } ?? "" }
        return
            "| \(name) | \(text(score.psnr, 2)) | \(text(score.ssim, 4)) | \(text(kernel, 1)) | \(text(seconds, 0)) |"
    }

    private func restored(_ input: Tensor<Float>, _ variant: Ablation) throws -> RestorationEstimate {
        var settings = RestorationSettings()
        settings.scale = scale
        settings.seed = seed
        settings.threads = threads
        settings.kernel = variant.family
        let process: any RestorationProcess
        if let dip = variant.dip(settings) {
            settings.method = .dipDKP
            process = try DIPDKP(input: input, settings: settings, dip: dip)
        } else {
            settings.method = .pnpDKP
            let weights = WeightsLocation(ShippedWeights.naturalImages.name)
            process = try PnPDKP(
                input: input, settings: settings, prior: TrainedPrior(weights, precision: settings.precision),
                pnp: variant.pnp(settings))
        }
        while process.step < process.totalSteps { _ = try process.advance() }
        return LevelCorrection(observed: input, scale: scale).corrected(try process.estimate())
    }
}
