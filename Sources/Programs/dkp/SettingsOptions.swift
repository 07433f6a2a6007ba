import ArgumentParser
import Daemon
import Foundation
import Jobs
import KernelFamilies

/// The flags of settings that every restoration has, whether its kernel is looked for or known.
struct CommonSettingsOptions: ParsableArguments {
    @Option(help: "The effort: fast, default or best; or paper for the authors' settings. (default: default)")
    var preset: String?
    @Option(help: "The input's noise: auto, or its standard deviation of 255. (default: auto; 6 for deconvolve)")
    var noise: String?
    @Option(
        help: "Beyond the borders: circular (the other end) or free (unseen). (default: circular; free for deconvolve)")
    var boundary: String?
    @Option(help: "The seed of all random numbers. (default: 0)")
    var seed: String?
    @Option(help: "The arithmetic: auto, f32 or bf16. (default: auto)")
    var precision: String?
    @Option(help: "Compute threads. (default: OMP_NUM_THREADS, or one per processor)")
    var threads: String?
    @Option(help: "Seconds between two checkpoints. (default: 30)")
    var checkpointInterval: String?

    /// The values given, by their settings.
    var values: [(SettingKey, String?)] {
        [
            (.preset, preset), (.noise, noise), (.boundary, boundary), (.seed, seed), (.precision, precision),
            (.threads, threads), (.checkpointInterval, checkpointInterval),
        ]
    }
}

extension RestorationSettings {
    /// Applies the environment's variables (`DKP_SCALE` and so on), among which the daemon's may be.
    mutating func applyEnvironment() throws(SettingsError) {
        try apply(environment: ProcessInfo.processInfo.environment, besides: SettingName.all.map(\.variable))
    }

    /// Applies flags in their order: a kernel comes before the scale, as it decides on the scales that there are.
    mutating func apply(flags: [(SettingKey, String?)]) throws(SettingsError) {
        for (key, value) in flags {
            guard let value else { continue }
            try set(key.rawValue, to: value, source: "--" + key.rawValue.replacing("_", with: "-"))
        }
        try validate(source: "settings")
    }
}

/// The flags that set a job's settings. Their values are checked where all settings are, whatever they come from.
struct SettingsOptions: ParsableArguments {
    @Option(help: "How many times larger the result is on each axis: 2, 3, 4 or 8. (default: 4)")
    var scale: String?
    @Option(help: "The blur kernels: auto, gaussian, motion or free. (default: auto; gaussian with --preset paper)")
    var kernel: String?
    @OptionGroup var common: CommonSettingsOptions
    @Option(help: "The number of steps. (default: the preset's)")
    var steps: String?
    @Option(help: "How kernels are sampled: independent or metropolis. (default: the preset's)")
    var sampler: String?
    @Option(help: "Where kernels are centred: registered (the input's pixel grid) or fkp. (default: registered)")
    var kernelCentre: String?
    @Option(help: "pnp-dkp, dip-dkp or diff-dkp; the first and the last use a trained model. (default: pnp-dkp)")
    var method: String?
    @Option(
        help: ArgumentHelp(
            "The model of pnp-dkp and diff-dkp. (default: natural-images, which comes along)",
            valueName: "FILE.h5[#GROUP]"))
    var weights: String?
    @Option(help: "Steps of diff-dkp's reverse process. (default: 100)")
    var diffusionSteps: String?
    @Option(help: "How its steps go on: ddpm or ddim. (default: ddpm)")
    var diffusionSampler: String?
    @Option(help: "The noise that ddim adds, 0 to 1. (default: 0)")
    var eta: String?
    @Option(help: "How it meets the data: proximal or gradient. (default: proximal)")
    var dataConsistency: String?
    @Option(help: ArgumentHelp("What a class-conditional model is told that the image shows.", valueName: "N"))
    var classLabel: String?
    @Option(
        help: ArgumentHelp(
            "A file with the true kernel, used instead of an estimate: a bound for experiments.", visibility: .hidden))
    var oracleKernel: String?

    /// The settings: flag beats environment (`DKP_SCALE` and so on) beats default.
    func settings() throws -> RestorationSettings {
        var settings = RestorationSettings()
        try settings.applyEnvironment()
        try settings.apply(
            flags: [
                (.oracleKernel, oracleKernel.map(absolutePath)), (.scale, scale), (.kernel, kernel), (.steps, steps),
                (.sampler, sampler), (.kernelCentre, kernelCentre), (.method, method),
                (.weights, weights.map { Self.place(ofWeights: $0) }), (.diffusionSteps, diffusionSteps),
                (.diffusionSampler, diffusionSampler), (.eta, eta), (.dataConsistency, dataConsistency),
                (.classLabel, classLabel),
            ] + common.values)
        return settings
    }

    /// Weights that come with the program keep their name; other places mean the same in another working directory.
    private static func place(ofWeights text: String) -> String {
        let location = WeightsLocation(text)
        return location.isName && !location.exists && location.installed.exists
            ? location.description : location.absolute.description
    }
}

/// A path that means the same in another working directory.
func absolutePath(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
