public import ArgumentParser
import HDF5
import Imaging
import KernelFamilies
import Restoration

struct DegradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "degrade",
        abstract: "Blurs, subsamples and optionally adds noise to an image: a test case with a known truth.",
        discussion: """
            Columns and rows that do not fill a low-resolution pixel are cut off at the right and the bottom. The result \
            is rounded to the input's depth, 8 or 16 bits.
            """)

    enum Family: String, ExpressibleByArgument, CaseIterable {
        case gaussian, motion
    }

    @Argument(help: ArgumentHelp("The high-resolution image, a PNG file.", valueName: "HR.png"))
    var input: String
    @Option(name: [.long, .short], help: ArgumentHelp("The low-resolution image to write.", valueName: "LR.png"))
    var output: String
    @Option(help: "The scale factor: 1, 2, 3, 4 or 8.")
    var scale: Int
    @Option(help: "Draw the kernel from this family.")
    var kernel: Family?
    @Option(help: ArgumentHelp("Take the kernel from this file.", valueName: "K.h5"))
    var kernelFile: String?
    @Option(help: "The seed of the kernel and the noise.")
    var seed: UInt64 = 0
    @Option(help: "Where a drawn kernel is centred: registered or fkp.")
    var kernelCentre = KernelCentre.registered
    @Option(help: ArgumentHelp("Standard deviation of Gaussian noise, where 1 is full white.", valueName: "SIGMA"))
    var noise = 0.0
    @Option(help: ArgumentHelp("Write the kernel to this file.", valueName: "K.h5"))
    var saveKernel: String?

    func validate() throws {
        guard (kernel == nil) != (kernelFile == nil) else {
            throw ValidationError("Give either --kernel or --kernel-file.")
        }
    }

    func run() throws {
        let image = try Image(file: input)
        let degradation: SyntheticDegradation
        if let kernelFile {
            degradation = try SyntheticDegradation(
                scale: scale, kernel: try KernelFile.read(kernelFile), noise: noise, seed: seed)
        } else {
            // The parser has seen to it that one of the two is given.
            let family = kernel == .motion ? KernelFamily.motion : .gaussian
            degradation = try SyntheticDegradation(
                scale: scale, family: family, centre: kernelCentre, noise: noise, seed: seed)
        }
        let degraded = try degradation.apply(to: image)
        try degraded.writePNG(to: output)
        if let saveKernel {
            var attributes: [String: AttributeValue] = ["scale": .int(Int64(scale)), "noise_sigma": .double(noise)]
            if let kernel {
                attributes["family"] = .string(kernel.rawValue)
                attributes["seed"] = .unsigned(seed)
                attributes["kernel_centre"] = .string(kernelCentre.rawValue)
            }
            try KernelFile.write(degradation.kernel, to: saveKernel, attributes: attributes)
        }
        print("\(output): \(degraded.width) x \(degraded.height), scale \(scale)")
    }
}

extension KernelCentre: ExpressibleByArgument {}
