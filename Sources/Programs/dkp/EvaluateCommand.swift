import ArgumentParser
import Jobs
import Restoration

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures a restored image (and kernel) against the truth.",
        discussion: "PSNR and SSIM are of luma rounded to 8 bits, scale^2 pixels left out on every side.")

    @Argument(help: ArgumentHelp("The restored image.", valueName: "RESTORED.png"))
    var restored: String
    @Argument(help: ArgumentHelp("The true image.", valueName: "REFERENCE.png"))
    var reference: String
    @Option(help: "The scale factor: 1, 2, 3, 4 or 8.")
    var scale: Int
    @Option(help: ArgumentHelp("The low-resolution image: measures its bicubic enlargement too.", valueName: "LR.png"))
    var input: String?
    @Option(help: ArgumentHelp("The estimated kernel (a kernel file or a result.h5).", valueName: "K.h5"))
    var kernel: String?
    @Option(help: ArgumentHelp("The true kernel.", valueName: "K.h5"))
    var referenceKernel: String?
    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (kernel == nil) == (referenceKernel == nil) else {
            throw ValidationError("--kernel and --reference-kernel go together.")
        }
        guard RestorationSettings.scalesOfKnownBlur.contains(scale) else {
            throw ValidationError("--scale is 1, 2, 3, 4 or 8.")
        }
    }

    func run() throws {
        var kernels: (found: String, reference: String)?
        if let kernel, let referenceKernel { kernels = (kernel, referenceKernel) }
        let report = try EvaluationReport(
            restored: restored, reference: reference, scale: scale, input: input, kernels: kernels)
        if json { printJSON(try report.json()) } else { print(report.words) }
    }
}
