import ArgumentParser
import Jobs
import KernelFamilies

struct DeconvolveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deconvolve",
        abstract: "Removes a blur that is known.",
        discussion: """
            For a kernel that was measured, as the point spread function of a microscope or telescope, or found by dkp \
            restore. The method is the second half of pnp-dkp's: the trained model makes the picture, the kernel stays \
            as it is. What lies beyond the borders is taken as unknown.

            A photograph is taken to have noise: --noise is 6 unless given. For data without any (--noise auto estimates \
            it) more detail comes back with less.

            Interrupted, the same command goes on, as dkp restore does.
            """)

    @Argument(help: ArgumentHelp("The blurred image: PNG, JPEG or TIFF.", valueName: "IN"))
    var input: String
    @Option(
        help: ArgumentHelp(
            "The kernel: HDF5 (dataset kernel, of sum 1), or PNG (gray levels); square, of an odd size up to 63.",
            valueName: "K.h5|K.png"))
    var kernelFile: String
    @OptionGroup var foreground: ForegroundOptions
    @Option(help: "How many times larger the result is on each axis: 1, 2, 3, 4 or 8. (default: 1)")
    var scale: String?
    @OptionGroup(title: "Settings")
    var options: CommonSettingsOptions

    /// In 255ths. Where nothing is smaller than a pixel of the input, the least noise that is not counted is sharpened
    /// beyond all measure, and compression hides it from an estimate; too much noise counted costs little.
    private static let noiseOfPhotographs = 6.0

    func run() throws {
        var settings = RestorationSettings()
        settings.boundary = .free
        settings.noise = Self.noiseOfPhotographs
        try settings.applyEnvironment()
        settings.method = .pnpDKP
        try settings.apply(
            flags: [(.oracleKernel, absolutePath(kernelFile)), (.scale, scale ?? "1")] + options.values)
        try foreground.run(input, settings: settings)
    }
}
