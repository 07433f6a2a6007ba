import Diffusion
import Foundation
import HDF5

/// A diffusion model in a weights file, in a form to print. See formats: weights.
public struct WeightsSummary: Sendable, Encodable {
    /// The group that it is in; empty for the root.
    public var group: String
    /// "guided-diffusion" or "diffusers-unet2d".
    public var architecture: String
    /// The arguments of the source's own constructor, as JSON.
    public var config: String
    /// The training's steps and noise levels, as JSON; nil where the file does not tell.
    public var diffusion: String?
    /// What it was trained on, if the file tells.
    public var trainedOn: String?
    /// The licence of the weights, if the file tells.
    public var license: String?
    /// The number of parameter arrays.
    public var arrays: Int
    /// The number of parameters.
    public var parameters: Int
    /// The parameters' types in the file, "bfloat16" and so on.
    public var types: [String]

    enum CodingKeys: String, CodingKey {
        case group, architecture, config, diffusion, license, arrays, parameters, types
        case trainedOn = "trained_on"
    }

    /// The format's name.
    static let format = "dkp-ddpm"

    /// The models in a file, in whatever groups.
    static func all(
        attributes: [String: String], datasets: [FileInspection.DatasetSummary]
    ) -> [WeightsSummary] {
        attributes.keys.sorted().compactMap { path in
            let parts = path.split(separator: "/")
            guard parts.last == "format", attributes[path] == format else { return nil }
            let group = parts.dropLast().joined(separator: "/")
            let prefix = group.isEmpty ? "" : group + "/"
            let own = datasets.filter { $0.path.hasPrefix(prefix + "state_dict/") }
            return WeightsSummary(
                group: group, architecture: attributes[prefix + "architecture"] ?? "unknown",
                config: attributes[prefix + "config"] ?? "{}", diffusion: attributes[prefix + "diffusion"],
                trainedOn: attributes[prefix + "trained_on"], license: attributes[prefix + "license"],
                arrays: own.count, parameters: own.reduce(0) { $0 + $1.shape.reduce(1, *) },
                types: Array(Set(own.map(\.type))).sorted())
        }
    }

    /// The summary in lines.
    var words: [String] {
        var lines = [
            "\(group.isEmpty ? "model" : "model #\(group)"): \(architecture), \(parameters) parameters in \(arrays) arrays, "
                + types.joined(separator: " and ")
        ]
        lines.append("  config: \(config)")
        lines.append("  diffusion: \(diffusion ?? "not told; 1000 steps, linear betas are assumed")")
        if let trainedOn { lines.append("  trained on: \(trainedOn)") }
        if let license { lines.append("  licence: \(license)") }
        return lines
    }
}
