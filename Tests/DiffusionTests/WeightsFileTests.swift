import CHDF5
import Diffusion
import Foundation
import HDF5
import NeuralNetwork
import TestSupport
import Tensors
import Testing

@Suite struct `Weights files` {
    private static let group = "ddpm_diffusers"

    /// What a copy of a good file is changed by.
    private struct Change {
        var attributes: [String: AttributeValue?] = [:]
        /// In place of a dataset of this name: another array, or nothing.
        var datasets: [String: (shape: [Int], values: [Float])?] = [:]
    }

    /// Copies the weights of the small diffusers model to the root of a file, changed, and opens that file.
    private func withChangedFile(_ change: Change, _ body: (String) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/weights.h5"
            let source = try GoldenNumbers.unets.open()
            do {
                let file = try HDF5File(creating: path)
                for name in try source.attributeNames(of: Self.group) where !change.attributes.keys.contains(name) {
                    try file.setAttribute(name, try source.attribute(name, of: Self.group), of: "/")
                }
                for case let (name, value?) in change.attributes { try file.setAttribute(name, value, of: "/") }
                for name in try source.children(of: "\(Self.group)/state_dict")
                where !change.datasets.keys.contains(name) {
                    let (shape, values) = try source.readFloats("\(Self.group)/state_dict/\(name)")
                    try file.write(values, shape: shape, at: "state_dict/\(name)")
                }
                for case let (name, array?) in change.datasets {
                    try file.write(array.values, shape: array.shape, at: "state_dict/\(name)")
                }
            }
            try body(path)
        }
    }

    private func expectError(
        _ code: WeightsError.Code, naming words: String..., change: Change,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try withChangedFile(change) { path in
            #expect(sourceLocation: sourceLocation) {
                _ = try UNet(try WeightsFile(path), height: 4, width: 4, precision: .f32)
            } throws: { error in
                guard let error = error as? WeightsError else { return false }
                return error.code == code && ([path] + words).allSatisfy { error.message.contains($0) }
            }
        }
    }

    private func withConfig(_ old: String, _ new: String) throws -> Change {
        let config = try #require(
            try GoldenNumbers.unets.attribute("config", of: Self.group).stringValue)
        try #require(config.contains(old))
        return Change(attributes: ["config": .string(config.replacingOccurrences(of: old, with: new))])
    }

    @Test func `a copy at the root of a file predicts as the original in its group`() throws {
        try withChangedFile(Change(attributes: ["license": .string("none"), "trained_on": .string("noise")])) { path in
            let weights = try WeightsFile(path)
            #expect(weights.license == "none" && weights.trainedOn == "noise" && weights.training == nil)
            let image = Tensor<Float>(shape: [3, 8, 12], repeating: 0.25)
            let copy = try UNet(weights, height: 8, width: 12, precision: .f32)
            let original = try UNet(
                try WeightsFile(GoldenNumbers.unets.path, group: Self.group), height: 8, width: 12, precision: .f32)
            #expect(try copy.predict(image, timestep: 9) == original.predict(image, timestep: 9))
        }
    }

    @Test func `the training process is read`() throws {
        let json = #"{"steps": 500, "schedule": "cosine", "learn_sigma": true, "pixel_range": [0, 1]}"#
        try withChangedFile(Change(attributes: ["diffusion": .string(json)])) { path in
            let training = try #require(try WeightsFile(path).training)
            #expect(
                training
                    == DiffusionDescription(steps: 500, schedule: .cosine, learnSigma: true, pixelRange: [0, 1]))
        }
        let wrong = Change(attributes: ["diffusion": .string(#"{"schedule": "sigmoid"}"#)])
        try expectError(.badConfiguration, naming: "schedule", "sigmoid", change: wrong)
    }

    @Test func `the older names of attention are read`() throws {
        let source = try GoldenNumbers.unets.open()
        var change = Change()
        for (new, old) in ["to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"] {
            for kind in ["weight", "bias"] {
                let name = "mid_block.attentions.0.\(new).\(kind)"
                change.datasets[name] = .some(nil)
                change.datasets["mid_block.attentions.0.\(old).\(kind)"] = try source.readFloats(
                    "\(Self.group)/state_dict/\(name)")
            }
        }
        try withChangedFile(change) { path in
            _ = try UNet(try WeightsFile(path), height: 4, width: 4, precision: .f32)
        }
    }

    @Test(.tags(.slow)) func `a model whose attention_resolutions are empty is read`() throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let weights = try WeightsFile("\(root.path)/Weights/natural-images.h5")
        let network = try UNet(weights, height: 8, width: 8, precision: .f32)
        let noise = try network.predict(Tensor(shape: [3, 8, 8], repeating: 0.5), timestep: 10)
        #expect(noise.shape == [3, 8, 8])
    }

    @Test func `datasets that do not suit the configuration are named`() throws {
        try expectError(
            .missing, naming: "state_dict/conv_out.weight", "[3, 32, 3, 3]",
            change: Change(datasets: ["conv_out.weight": nil]))
        try expectError(
            .unexpected, naming: "state_dict/conv_extra.bias",
            change: Change(datasets: ["conv_extra.bias": ([3], [1, 2, 3])]))
        try expectError(
            .wrongShape, naming: "state_dict/conv_out.bias", "[4]", "[3]",
            change: Change(datasets: ["conv_out.bias": ([4], [1, 2, 3, 4])]))
        try expectError(
            .wrongShape, naming: "down_blocks.1.resnets.0", "calls for [96",
            change: try withConfig("[32, 64]", "[32, 96]"))
    }

    @Test(arguments: [Float.nan, .infinity])
    func `numbers that are not finite are damage`(value: Float) throws {
        try expectError(
            .damaged, naming: "state_dict/conv_out.bias", "offset 1",
            change: Change(datasets: ["conv_out.bias": ([3], [0, value, 0])]))
    }

    @Test func `formats and versions that are not known are refused`() throws {
        try expectError(.wrongFormat, naming: "format", change: Change(attributes: ["format": nil]))
        try expectError(.wrongFormat, naming: "dkp-ddpm", change: Change(attributes: ["format": .string("other")]))
        try expectError(.wrongFormat, naming: "version", "2", change: Change(attributes: ["format_version": .int(2)]))
        let transformer = Change(attributes: ["architecture": .string("transformer")])
        try expectError(.badConfiguration, naming: "transformer", change: transformer)
    }

    @Test(arguments: [
        ("[32, 64]", "\"wide\"", "block_out_channels"), ("[32, 64]", "[32, 60]", "groups"),
        ("[32, 64]", "[32]", "down_block_types"), ("[32, 64]", "[16384, 16384]", "limit"),
        ("AttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), ("\"silu\"", "\"gelu\"", "gelu"),
        ("\"layers_per_block\": 1", "\"layers_per_block\": 1e99", "layers_per_block"),
        ("\"layers_per_block\": 1", "\"layers_per_block\": true", "layers_per_block"),
        ("\"out_channels\": 3", "\"out_channels\": 5", "out_channels"), ("{", "[", "JSON"),
    ])
    func `configurations of no network are refused`(old: String, new: String, word: String) throws {
        try expectError(.badConfiguration, naming: word, change: try withConfig(old, new))
    }

    @Test func `a dataset that would unpack to more than its network needs is damage`() throws {
        try withChangedFile(Change(datasets: ["conv_out.bias": nil])) { path in
            // Three numbers in a compressed chunk of 64 MiB. Building an image takes the lock of the HDF5 module, which
            // keeps other tests out of the library.
            _ = try HDF5File.image(name: "lock") { _ throws(HDF5Error) in
                // H5F_ACC_RDWR is a macro that Swift cannot import.
                let readAndWrite: UInt32 = 1
                let file = H5Fopen(path, readAndWrite, dkp_h5_default())
                let space = H5Screate_simple(1, [3], [hsize_t.max])
                let creation = H5Pcreate(dkp_h5_class_dataset_create())
                _ = H5Pset_chunk(creation, 1, [1 << 24])
                _ = H5Pset_deflate(creation, 1)
                let dataset = H5Dcreate2(
                    file, "state_dict/conv_out.bias", dkp_h5_type_f32le(), space, dkp_h5_default(), creation,
                    dkp_h5_default())
                H5Dwrite(dataset, dkp_h5_type_f32le(), dkp_h5_all(), dkp_h5_all(), dkp_h5_default(), [Float(1), 2, 3])
                H5Dclose(dataset)
                H5Pclose(creation)
                H5Sclose(space)
                H5Fclose(file)
            }
            let weights = try WeightsFile(path)
            #expect { _ = try UNet(weights, height: 4, width: 4, precision: .f32) } throws: { error in
                (error as? WeightsError)?.code == .damaged && "\(error)".contains("conv_out.bias")
            }
        }
    }

    @Test func `an absent file, an absent group and a truncated file are told apart`() throws {
        try withTemporaryDirectory { directory in
            func code(_ path: String, group: String? = nil) -> WeightsError.Code? {
                do {
                    _ = try WeightsFile(path, group: group)
                    return nil
                } catch { return (error as? WeightsError)?.code }
            }
            #expect(code(directory + "/none.h5") == .notFound)
            #expect(code(GoldenNumbers.unets.path, group: "none") == .notFound)
            let data = try Data(contentsOf: URL(fileURLWithPath: GoldenNumbers.unets.path))
            let path = directory + "/cut.h5"
            try data.prefix(data.count / 2).write(to: URL(fileURLWithPath: path))
            #expect(code(path, group: Self.group) == .damaged)
        }
    }
}
