import Foundation
import HDF5
import Tensors

/// A file of the format "dkp-ddpm", version 1: a network's configuration and its state dict.
///
/// Opening it reads the configuration and compares every dataset's name, shape and type with what the configuration
/// calls for, before any memory is taken for them.
public struct WeightsFile: Sendable {
    /// The path of the file, with `#group` where the weights are not at its root.
    public let name: String
    /// The network.
    public let configuration: UNetConfiguration
    /// The training, where the file tells of it.
    public let training: DiffusionDescription?
    /// What the network was trained on, where the file tells it.
    public let trainedOn: String?
    /// The licence of the weights, where the file tells it.
    public let license: String?
    /// The number of parameters.
    public let parameterCount: Int

    private let path: String
    private let group: String
    /// Where each parameter lies, by its name.
    private let datasets: [String: String]
    private let shapes: [String: [Int]]

    /// Opens a file, or a group of it.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - group: the group that holds the weights; nil for the root.
    /// - Throws: ``WeightsError``.
    public init(_ path: String, group: String? = nil) throws {
        let location = group.map { "\(path)#\($0)" } ?? path
        let group = group ?? "/"
        name = location
        self.path = path
        self.group = group
        guard FileManager.default.fileExists(atPath: path) else {
            throw WeightsError(.notFound, "\(path): no such file of weights")
        }
        do {
            let file = try HDF5File(reading: path)
            guard file.contains(group) else {
                throw WeightsError(.notFound, "\(path): no group \(group) in this file")
            }
            let header = WeightsHeader(of: group, in: file)
            configuration = try header.configuration()
            training = try header.training()
            trainedOn = header.text("trained_on")
            license = header.text("license")
            let expected = try configuration.parameterShapes()
            datasets = try Self.match(expected, in: file, group: group)
        } catch let error as HDF5Error {
            throw Self.weightsError(error)
        } catch let error as WeightsError {
            throw Self.named(error, location)
        }
        let expected = try configuration.parameterShapes()
        shapes = Dictionary(uniqueKeysWithValues: expected.map { ($0.name, $0.shape) })
        parameterCount = expected.reduce(0) { $0 + $1.shape.reduce(1, *) }
    }

    /// Reads one parameter as f32, whatever it is stored as.
    ///
    /// - Throws: ``WeightsError`` with code `damaged` if it cannot be read, or is not finite everywhere.
    func parameter(_ parameter: String, of file: borrowing HDF5File) throws -> Tensor<Float> {
        guard let dataset = datasets[parameter], let shape = shapes[parameter] else {
            throw WeightsError(.missing, "\(name): no dataset for the parameter \(parameter)")
        }
        let values = try file.readFloats(dataset).values
        guard values.count == shape.reduce(1, *) else {
            throw WeightsError(.wrongShape, "\(name): \(dataset) has \(values.count) elements, not \(shape)")
        }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw WeightsError(
                .damaged,
                "\(name): \(dataset) holds \(values[index]) at offset \(index); the file is damaged, convert the weights "
                    + "again")
        }
        return Tensor(shape: shape, values)
    }

    /// Gives every parameter, one at a time, to `body`.
    func forEachParameter(_ body: (String, Tensor<Float>) throws -> Void) throws {
        do {
            // A chunk larger than the largest parameter is a bomb.
            let largest = shapes.values.map { $0.reduce(1, *) }.max() ?? 0
            let file = try HDF5File(reading: path, byteLimit: largest * MemoryLayout<Float>.size)
            // In the order of the file's names: the library's caches like neighbours.
            for name in datasets.keys.sorted() { try body(name, try parameter(name, of: file)) }
        } catch let error as HDF5Error {
            throw Self.weightsError(error)
        }
    }

    /// The dataset of each expected parameter.
    private static func match(
        _ expected: [(name: String, shape: [Int])], in file: borrowing HDF5File, group: String
    ) throws -> [String: String] {
        let folder = group == "/" ? "state_dict" : "\(group)/state_dict"
        guard file.contains(folder) else { throw WeightsError(.missing, "no group \(folder) with the parameters") }
        var present = Set(try file.children(of: folder))
        var datasets: [String: String] = [:]
        for (name, shape) in expected {
            guard let found = ([name] + OlderNames.of(name)).first(where: present.contains) else {
                throw WeightsError(
                    .missing, "no dataset \(folder)/\(name), shape \(shape), which the configuration calls for")
            }
            present.remove(found)
            let path = "\(folder)/\(found)"
            let description = try file.describe(path)
            guard description.shape == shape else {
                throw WeightsError(
                    .wrongShape,
                    "dataset \(path) has shape \(description.shape), the configuration calls for \(shape)")
            }
            switch description.elementType {
            case .float(bytes: 2), .float(bytes: 4), .bfloat16: break
            default:
                throw WeightsError(
                    .wrongShape,
                    "dataset \(path) is of type \(description.elementType), not float32, float16 or bfloat16")
            }
            datasets[name] = path
        }
        if let extra = present.sorted().first {
            throw WeightsError(
                .unexpected,
                "dataset \(folder)/\(extra) is no parameter of the configured network"
                    + (present.count > 1 ? " (nor are \(present.count - 1) others)" : "")
                    + "; the configuration is not that of these weights")
        }
        return datasets
    }

    private static func named(_ error: WeightsError, _ location: String) -> WeightsError {
        error.message.hasPrefix(location) ? error : WeightsError(error.code, "\(location): \(error.message)")
    }

    private static func weightsError(_ error: HDF5Error) -> WeightsError {
        switch error.code {
        case .notFound: WeightsError(.missing, error.message)
        case .wrongType: WeightsError(.wrongShape, error.message)
        default: WeightsError(.damaged, error.message)
        }
    }
}

/// The attributes of a group with weights.
private struct WeightsHeader {
    private let group: String
    private let values: [String: AttributeValue]

    init(of group: String, in file: borrowing HDF5File) {
        self.group = group
        var values: [String: AttributeValue] = [:]
        for name in ["format", "format_version", "architecture", "config", "diffusion", "trained_on", "license"] {
            values[name] = try? file.attribute(name, of: group)
        }
        self.values = values
    }

    func text(_ attribute: String) -> String? { values[attribute]?.stringValue }

    private func required(_ attribute: String) throws -> String {
        guard let text = text(attribute) else {
            throw WeightsError(.wrongFormat, "\(group) has no attribute \(attribute): these are no dkp-ddpm weights")
        }
        return text
    }

    func configuration() throws -> UNetConfiguration {
        let format = try required("format")
        guard format == "dkp-ddpm" else {
            throw WeightsError(.wrongFormat, "format is \"\(format.prefix(80))\", not \"dkp-ddpm\"")
        }
        let version = values["format_version"]?.intValue
        guard version == 1 else {
            throw WeightsError(
                .wrongFormat,
                "format_version is \(version.map(String.init) ?? "missing"); this program reads version 1")
        }
        return try UNetConfiguration(architecture: try required("architecture"), json: try required("config"))
    }

    func training() throws -> DiffusionDescription? {
        guard let json = text("diffusion") else { return nil }
        let values = try ConfigurationValues(json: json, attribute: "diffusion")
        let range = try values.numbers("pixel_range", in: -1e6...1e6, default: [-1, 1])
        guard range.count == 2, range[0] < range[1] else {
            throw WeightsError(.badConfiguration, "diffusion: pixel_range is not two ascending numbers")
        }
        let betas = DiffusionDescription.Betas.self
        let linear = betas.linear.rawValue
        try values.require("schedule", betas.allCases.map(\.rawValue), default: linear)
        return DiffusionDescription(
            steps: try values.integer("steps", in: DiffusionDescription.stepsAllowed, default: 1000),
            schedule: betas.init(rawValue: try values.string("schedule", default: linear)) ?? .linear,
            learnSigma: try values.boolean("learn_sigma", default: false), pixelRange: range)
    }
}

/// The names that diffusers gave to the parts of an attention until version 0.15, which the google/ddpm files still have.
private enum OlderNames {
    private static let parts = ["to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"]

    static func of(_ name: String) -> [String] {
        guard name.contains(".attentions.") else { return [] }
        return parts.compactMap { new, old in
            name.contains(".\(new).") ? name.replacingOccurrences(of: ".\(new).", with: ".\(old).") : nil
        }
    }
}
