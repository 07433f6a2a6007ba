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

            Interrupted, the same command goes on, as dkp restore does.
            """)

    @Argument(help: ArgumentHelp("The blurred image: PNG, JPEG or TIFF.", valueName: "IN"))
    var input: String
    @Option(
        help: ArgumentHelp(
            "The kernel: HDF5 (dataset kernel, of sum 1), or PNG (gray levels); square, of an odd size up to 63.",
            valueName: "K.h5|K.png"))
    var kernelFile: String
    @Option(name: [.long, .short], help: ArgumentHelp("The directory for the result.", valueName: "DIR"))
    var output: String
    @Option(help: "How many times larger the result is on each axis: 1, 2, 3, 4 or 8. (default: 1)")
    var scale: String?
    @OptionGroup(title: "Settings")
    var options: DeconvolutionOptions
    @OptionGroup(title: "Limits")
    var inputLimits: InputLimitOptions
    @Option(help: ArgumentHelp("The true image, to score the result with.", valueName: "HR.png"))
    var reference: String?
    @Flag(help: "Throw away an unfinished job in DIR and begin anew.")
    var restart = false
    @Flag(help: "Write over a result that is in DIR already.")
    var force = false

    func run() throws {
        try ForegroundRun(
            input: input, output: output, settings: options.settings(kernelFile: kernelFile, scale: scale),
            limits: inputLimits.limits(),
            references: reference.map { JobRecord.References(image: absolutePath($0), kernel: nil) }, restart: restart,
            force: force
        ).run()
    }
}

/// The flags of a deconvolution.
struct DeconvolutionOptions: ParsableArguments {
    @Option(help: "The effort: fast, default or best. (default: default)")
    var preset: String?
    @Option(help: "The input's noise: auto, or its standard deviation of 255. (default: auto)")
    var noise: String?
    @Option(help: "Beyond the borders: free (unseen) or circular. (default: free)")
    var boundary: String?
    @Option(help: "The seed of all random numbers. (default: 0)")
    var seed: String?
    @Option(help: "The arithmetic: auto, f32 or bf16. (default: auto)")
    var precision: String?
    @Option(help: "Compute threads. (default: OMP_NUM_THREADS, or one per processor)")
    var threads: String?
    @Option(help: "Seconds between two checkpoints. (default: 30)")
    var checkpointInterval: String?

    /// The settings of pnp-dkp with a kernel given.
    /// - Throws: `SettingsError`.
    func settings(kernelFile: String, scale: String?) throws -> RestorationSettings {
        var settings = RestorationSettings()
        settings.method = .pnpDKP
        // The kernel first: it decides on the scales that there are.
        let flags: [(SettingKey, String?)] = [
            (.oracleKernel, absolutePath(kernelFile)), (.scale, scale ?? "1"), (.preset, preset), (.noise, noise),
            (.boundary, boundary ?? RestorationSettings.Boundary.free.rawValue), (.seed, seed), (.precision, precision),
            (.threads, threads),
            (.checkpointInterval, checkpointInterval),
        ]
        for (key, value) in flags {
            guard let value else { continue }
            let flag = "--" + key.rawValue.replacing("_", with: "-")
            try settings.set(key.rawValue, to: value, source: flag)
        }
        try settings.validate(source: "settings")
        return settings
    }
}
