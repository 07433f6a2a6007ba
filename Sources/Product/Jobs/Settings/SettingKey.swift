import Foundation
import KernelFamilies

/// The name of a setting in files, in `key=value` overrides and in JSON, with what it admits.
public enum SettingKey: String, Sendable, CaseIterable, CodingKey {
    case method
    case preset
    case scale
    case kernel
    case kernelCentre = "kernel_centre"
    case noise
    case boundary
    case steps
    case seed
    case precision
    case threads
    case checkpointInterval = "checkpoint_interval"
    case sampler
    case oracleKernel = "oracle_kernel"
    case weights
    case diffusionSteps = "diffusion_steps"
    case diffusionSampler = "diffusion_sampler"
    case eta
    case dataConsistency = "data_consistency"
    case classLabel = "class_label"

    /// The allowed values, in words.
    public var allowed: String {
        switch self {
        case .method: Self.list(RestorationSettings.Method.self)
        case .preset: Self.list(RestorationSettings.Preset.self)
        case .scale: "2, 3, 4 or 8; 1 only with a known kernel (dkp deconvolve)"
        case .kernel: Self.list(KernelFamily.self) + ", or null for the preset's"
        case .kernelCentre: Self.list(KernelCentre.self)
        case .noise: "auto, or a number from 0 to 100 (of 255)"
        case .boundary: Self.list(RestorationSettings.Boundary.self)
        case .steps: "a whole number from 1 to 100000, or null for the preset's"
        case .seed: "a whole number from 0 to 18446744073709551615"
        case .precision: Self.list(RestorationSettings.Precision.self)
        case .threads: "a whole number from 1 to 1024, or null for the machine's"
        case .checkpointInterval: "seconds from 0.1 to 86400"
        case .sampler: Self.list(RestorationSettings.Sampler.self) + ", or null for the preset's"
        case .oracleKernel: "the path of a kernel file, or null"
        case .weights: "a weights file, perhaps with a group as in FILE.h5#GROUP, or null"
        case .diffusionSteps: "a whole number from 1 to 100000, or null for the preset's"
        case .diffusionSampler: Self.list(RestorationSettings.DiffusionSampler.self)
        case .eta: "a number from 0 to 1"
        case .dataConsistency: Self.list(RestorationSettings.DataConsistency.self)
        case .classLabel: "a whole number from 0 to 1000000, or null"
        }
    }

    /// The environment variable that sets it for `dkp restore`: `DKP_KERNEL_CENTRE`.
    public var variable: String { "DKP_\(rawValue.uppercased())" }

    /// Whether null (in a file) or an empty value (in an override) stands for "not set".
    public var isOptional: Bool {
        switch self {
        case .kernel, .steps, .diffusionSteps, .threads, .sampler, .oracleKernel, .weights, .classLabel: true
        default: false
        }
    }

    private static func list<Choice: RawRepresentable & CaseIterable>(_: Choice.Type) -> String
    where Choice.RawValue == String {
        let names = Choice.allCases.map(\.rawValue)
        guard let last = names.last, names.count > 1 else { return names.joined() }
        return names.dropLast().joined(separator: ", ") + " or " + last
    }
}
