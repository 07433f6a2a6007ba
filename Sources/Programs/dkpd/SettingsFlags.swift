import ArgumentParser
import Glibc
import SystemPackage

/// The flags that set the daemon's settings, one for each. Their values are checked where all settings are, whatever
/// they come from.
struct SettingsFlags: ParsableArguments {
    @Option(help: ArgumentHelp("The folder that holds inbox, jobs, outbox and rejected.", valueName: "folder"))
    var stateDir: String?
    @Option(help: ArgumentHelp("The worker program. (default: the dkp beside dkpd)", valueName: "file"))
    var worker: String?
    @Option(help: "Images worked on at once. (default: 1)")
    var workers: String?
    @Option(help: "Compute threads of each worker. (default: the processors shared out)")
    var threads: String?
    @Option(help: "Seconds between two listings of the inbox. (default: 10)")
    var rescanInterval: String?
    @Option(help: "Seconds for which a file without an event must not have changed. (default: 2)")
    var settleTime: String?
    @Option(help: "What becomes of images restored before: process or skip. (default: process)")
    var duplicates: String?
    @Option(help: "Failures without progress before an image is rejected. (default: 3)")
    var attempts: String?
    @Option(help: "Seconds before the first retry. (default: 10)")
    var retryDelay: String?
    @Option(help: "Seconds without progress after which a worker is ended, 0 for never. (default: 600)")
    var stallTime: String?
    @Option(help: "Free bytes below which no work is begun. (default: 67108864)")
    var freeSpaceFloor: String?
    @Option(help: "Days after which results are removed. (default: never)")
    var keepResults: String?
    @Option(help: "Bytes of memory that a worker may take. (default: no limit)")
    var memoryLimit: String?
    @Option(help: "How much more than the daemon workers give way to other programs. (default: 0)")
    var niceness: String?
    @Option(help: "The largest file, in bytes. (default: 536870912)")
    var limitsBytes: String?
    @Option(help: "The largest image, in pixels. (default: 67108864)")
    var limitsPixels: String?
    @Option(help: "The greatest width and height of an image, in pixels. (default: 32768)")
    var limitsSide: String?
    @Option(help: "What is logged: trace, debug, info, notice, warning, error or critical. (default: info)")
    var logLevel: String?

    /// The flags that were given, by the names of their settings.
    var values: [String: String] {
        [
            "state_dir": stateDir.map(absolutePath), "worker": worker.map(absolutePath), "workers": workers,
            "threads": threads, "rescan_interval": rescanInterval, "settle_time": settleTime,
            "duplicates": duplicates, "attempts": attempts, "retry_delay": retryDelay,
            "stall_time": stallTime, "free_space_floor": freeSpaceFloor, "keep_results": keepResults,
            "memory_limit": memoryLimit, "niceness": niceness, "limits.bytes": limitsBytes,
            "limits.pixels": limitsPixels, "limits.side": limitsSide, "log_level": logLevel,
        ].compactMapValues { $0 }
    }
}

/// The flags that set what is asked of images without settings of their own.
struct RestorationFlags: ParsableArguments {
    @Option(help: "The method: pnp-dkp, dip-dkp or diff-dkp. (default: pnp-dkp)")
    var restorationMethod: String?
    @Option(help: "The effort: fast, default or best; or paper for the authors' settings. (default: default)")
    var restorationPreset: String?
    @Option(help: "How many times larger the result is on each axis. (default: 4)")
    var restorationScale: String?
    @Option(help: "The family of blur kernels: auto, gaussian, motion or free. (default: auto)")
    var restorationKernel: String?
    @Option(help: "Where kernels are centred: registered or fkp. (default: registered)")
    var restorationKernelCentre: String?
    @Option(help: "The input's noise: auto, or its standard deviation of 255. (default: auto)")
    var restorationNoise: String?
    @Option(help: "Beyond the borders: circular (the other end) or free (unseen). (default: circular)")
    var restorationBoundary: String?
    @Option(help: "The number of steps. (default: the preset's)")
    var restorationSteps: String?
    @Option(help: "The seed of all random numbers. (default: 0)")
    var restorationSeed: String?
    @Option(help: "The arithmetic: auto, f32 or bf16. (default: auto)")
    var restorationPrecision: String?
    @Option(help: "Compute threads of a job. (default: those of the worker)")
    var restorationThreads: String?
    @Option(help: "Seconds between two checkpoints. (default: 30)")
    var restorationCheckpointInterval: String?
    @Option(help: "How kernels are sampled: independent or metropolis. (default: the preset's)")
    var restorationSampler: String?
    @Option(help: ArgumentHelp("A file with the true kernel, for experiments.", visibility: .hidden))
    var restorationOracleKernel: String?
    @Option(help: "The diffusion model of diff-dkp: a name in the folder of weights, or FILE.h5, either with #GROUP.")
    var restorationWeights: String?
    @Option(help: "The steps of diff-dkp. (default: 100)")
    var restorationDiffusionSteps: String?
    @Option(help: "How diff-dkp goes from step to step: ddpm or ddim. (default: ddpm)")
    var restorationDiffusionSampler: String?
    @Option(help: "The noise of ddim, 0 to 1. (default: 0)")
    var restorationEta: String?
    @Option(help: "How diff-dkp meets the data: proximal or gradient. (default: proximal)")
    var restorationDataConsistency: String?
    @Option(help: "What a class-conditional model is told that the image shows. (default: none)")
    var restorationClassLabel: String?

    /// The flags that were given, by the names of their settings.
    var values: [String: String] {
        [
            "method": restorationMethod, "preset": restorationPreset, "scale": restorationScale,
            "kernel": restorationKernel, "kernel_centre": restorationKernelCentre, "steps": restorationSteps,
            "seed": restorationSeed, "precision": restorationPrecision, "threads": restorationThreads,
            "checkpoint_interval": restorationCheckpointInterval, "sampler": restorationSampler,
            "oracle_kernel": restorationOracleKernel.map(absolutePath), "weights": restorationWeights,
            "diffusion_steps": restorationDiffusionSteps, "diffusion_sampler": restorationDiffusionSampler,
            "eta": restorationEta, "data_consistency": restorationDataConsistency,
            "class_label": restorationClassLabel, "noise": restorationNoise,
            "boundary": restorationBoundary,
        ].reduce(into: [:]) { values, entry in values["restoration." + entry.key] = entry.value }
    }
}

/// A path given on the command line, from the working directory; an empty one stays as it is.
func absolutePath(_ text: String) -> String {
    let path = FilePath(text)
    guard !path.isEmpty, path.isRelative, let directory = getcwd(nil, 0) else {
        return path.lexicallyNormalized().string
    }
    defer { free(directory) }
    return FilePath(platformString: directory).pushing(path).lexicallyNormalized().string
}
