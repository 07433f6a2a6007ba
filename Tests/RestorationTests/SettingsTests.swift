import Failures
import Foundation
import Jobs
import KernelFamilies
import KernelPrior
import Restoration
import Tensors
import Testing

@Suite struct SettingsTests {
    @Test func `every setting can be given in YAML`() throws {
        var settings = RestorationSettings()
        try settings.apply(
            yaml: """
                method: diff-dkp
                weights: faces.h5#small
                diffusion_steps: 250
                diffusion_sampler: ddim
                eta: 0.5
                data_consistency: gradient
                class_label: 3
                preset: paper
                scale: 3
                kernel: motion
                kernel_centre: fkp
                noise: 2.5
                steps: 77
                seed: 18446744073709551615
                precision: bf16
                threads: 2
                checkpoint_interval: 1.5
                sampler: metropolis
                oracle_kernel: truth.h5
                """, source: "cat.png.yaml")
        #expect(settings.method == .diffDKP)
        #expect(settings.weights == "faces.h5#small")
        #expect(settings.diffusionSteps == 250)
        #expect(settings.diffusionSampler == .ddim)
        #expect(settings.eta == 0.5)
        #expect(settings.dataConsistency == .gradient)
        #expect(settings.classLabel == 3)
        #expect(settings.preset == .paper)
        #expect(settings.scale == 3)
        #expect(settings.kernel == .motion)
        #expect(settings.kernelCentre == .fkp)
        #expect(settings.noise == 2.5)
        #expect(settings.steps == 77)
        #expect(settings.seed == .max)
        #expect(settings.precision == .bf16)
        #expect(settings.threads == 2)
        #expect(settings.checkpointInterval == 1.5)
        #expect(settings.sampler == .metropolis)
        #expect(settings.oracleKernel == "truth.h5")
    }

    @Test func `the noise is estimated unless it is given, in JSON too`() throws {
        var settings = RestorationSettings()
        #expect(settings.noise == nil)
        for noise in [nil, 0, 3.5] as [Double?] {
            settings.noise = noise
            let decoded = try JSONDecoder().decode(
                RestorationSettings.self, from: try JSONEncoder().encode(settings))
            #expect(decoded == settings)
        }
        try settings.set("noise", to: "auto", source: "--noise")
        #expect(settings.noise == nil)
        settings.noise = 4
        #expect(settings.noiseStandardDeviation(of: Tensor(shape: [3, 40, 40], repeating: 0.5)) == 4.0 / 255)
        settings.noise = nil
        #expect(settings.noiseStandardDeviation(of: Tensor(shape: [3, 40, 40], repeating: 0.5)) == 0)
    }

    @Test func `the paper's preset looks for Gaussians unless another family is asked for`() throws {
        var settings = RestorationSettings()
        #expect(settings.kernelFamily == .auto)
        try settings.set("preset", to: "paper", source: "--preset")
        #expect(settings.kernelFamily == .gaussian)
        try settings.set("kernel", to: "auto", source: "--kernel")
        #expect(settings.kernelFamily == .auto)
        try settings.set("kernel", to: "", source: "--kernel")
        #expect(settings.kernelFamily == .gaussian)
    }

    @Test func `the default method is pnp-dkp, and presets say how much work it does`() throws {
        var settings = RestorationSettings()
        #expect(settings.method == .pnpDKP)
        #expect(settings.weightsLocation?.description == "natural-images")
        let efforts = try ["fast", "default", "best"].map { name in
            try settings.set("preset", to: name, source: "--preset")
            return PnPSettings(settings)
        }
        #expect(efforts.map(\.search.steps) == efforts.map(\.search.steps).sorted())
        #expect(efforts.map(\.stepsPerRound) == efforts.map(\.stepsPerRound).sorted())
        #expect(efforts.map(\.furtherRounds) == [0, 1, 2])
        try settings.set("steps", to: "7", source: "--steps")
        #expect(PnPSettings(settings).search.steps == 7)
    }

    @Test(arguments: RestorationSettings.Method.allCases)
    func `methods that need weights take those of the program where none are named`(
        _ method: RestorationSettings.Method
    ) throws {
        var settings = RestorationSettings()
        settings.method = method
        try settings.validate(source: "x")
        #expect(settings.weightsLocation?.description == (method == .dipDKP ? nil : "natural-images"))
        settings.weights = "w.h5"
        #expect(settings.weightsLocation?.description == "w.h5")
    }

    @Test func `JSON is read as YAML is, and null unsets`() throws {
        var settings = RestorationSettings()
        settings.steps = 5
        try settings.apply(yaml: #"{"scale": 8, "steps": null}"#, source: "job")
        #expect(settings.scale == 8)
        #expect(settings.steps == nil)
    }

    @Test func `keys that a file does not name stay as they are`() throws {
        var settings = RestorationSettings()
        settings.scale = 2
        try settings.apply(yaml: "seed: 9", source: "a")
        try settings.apply(yaml: "# nothing\n", source: "b")
        #expect(settings.scale == 2)
        #expect(settings.seed == 9)
    }

    @Test(arguments: [
        ("scale", "5"), ("scale", "4.0"), ("scale", "four"), ("steps", "0"), ("steps", "100001"), ("seed", "-1"),
        ("kernel", "box"), ("kernel_centre", "middle"), ("precision", "f16"), ("threads", "0"),
        ("checkpoint_interval", "0"), ("checkpoint_interval", "nan"), ("sampler", "gibbs"), ("method", "dkp"),
        ("preset", "quick"), ("scale", "[4]"), ("scale", "{a: 1}"), ("seed", "null"), ("scale", "''"),
        ("diffusion_steps", "0"), ("diffusion_steps", "none"), ("diffusion_sampler", "plms"), ("eta", "-0.1"),
        ("eta", "nan"), ("data_consistency", "none"), ("class_label", "-1"),
        ("noise", "-1"), ("noise", "101"), ("noise", "nan"), ("noise", "null"), ("noise", "none"),
    ])
    func `a value out of range names the key, the value and what is allowed`(_ key: String, _ value: String) throws {
        var settings = RestorationSettings()
        let error = try #require(throws: SettingsError.self) {
            try settings.apply(yaml: "\(key): \(value)", source: "dkp.yaml")
        }
        #expect(error.code == .invalidValue)
        #expect(error.key == key)
        #expect(error.description.hasPrefix("dkp.yaml: \(key) is "))
        #expect(error.description.contains("allowed: "))
        #expect(settings == RestorationSettings())
    }

    @Test func `an unknown key is refused and the known ones are named`() throws {
        var settings = RestorationSettings()
        let error = try #require(throws: SettingsError.self) { try settings.apply(yaml: "scal: 4", source: "x") }
        #expect(error.code == .unknownKey)
        #expect(error.description.contains("\"scal\""))
        #expect(error.description.contains("checkpoint_interval"))
    }

    @Test(arguments: ["- 1\n- 2", "just text", "a: [", "scale: 2\nscale: 3"])
    func `text that is no mapping of settings is refused`(_ text: String) {
        var settings = RestorationSettings()
        #expect(throws: SettingsError.self) { try settings.apply(yaml: text, source: "x") }
    }

    @Test func `overrides and environment variables are checked alike`() throws {
        var settings = RestorationSettings()
        try settings.apply(override: "scale=2", source: "--set")
        try settings.apply(environment: ["DKP_SEED": "7", "DKP_OTHER": "x", "HOME": "/"], besides: ["DKP_OTHER"])
        #expect(settings.scale == 2)
        #expect(settings.seed == 7)
        #expect(throws: SettingsError.self) { try settings.apply(override: "scale", source: "--set") }
        let error = try #require(throws: SettingsError.self) { try settings.apply(environment: ["DKP_SCALE": "5"]) }
        #expect(error.description.contains("DKP_SCALE"))
        for (variable, word) in [("DKP_FOO", "known: DKP_"), ("DKP_SCAEL", "DKP_SCALE may be meant")] {
            let other = try #require(throws: SettingsError.self) { try settings.apply(environment: [variable: "5"]) }
            #expect(
                other.description.hasPrefix("environment variable \(variable): ") && other.description.contains(word))
        }
    }

    @Test func `no message quotes a text of any length`() throws {
        let long = String(repeating: "é", count: 65_000)
        var settings = RestorationSettings()
        for yaml in ["scale: \(long)", "\(long): 1", "weights: [\(long)]", "a: '\(long)' x", "\(long): 1\n\(long): 2"] {
            let error = try #require(throws: SettingsError.self) { try settings.apply(yaml: yaml, source: "x") }
            #expect(error.description.utf8.count < 1000)
        }
        let error = try #require(throws: SettingsError.self) { try settings.apply(override: long, source: "--set") }
        #expect(error.description.contains("(130000 bytes)") && error.description.utf8.count < 1000)
    }

    @Test(arguments: ["[", "{\"scale\":"]) func `JSON of any depth and numbers of any size are errors`(opening: String)
    {
        let deep = String(repeating: opening, count: 100_000)
        #expect(throws: (any Error).self) { try JSONDecoder().decode(RestorationSettings.self, from: Data(deep.utf8)) }
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode(RestorationSettings.self, from: Data("{\"x\":\(deep)".utf8))
        }
        for number in [
            "1e999", "-1e999", "18446744073709551616", String(repeating: "9", count: 10_000), "1e-999999999",
        ] {
            #expect(throws: (any Error).self) {
                try JSONDecoder().decode(RestorationSettings.self, from: Data("{\"scale\":\(number)}".utf8))
            }
        }
    }

    @Test func `settings survive JSON, and decoding is as strict as parsing`() throws {
        var settings = toySettings(seed: .max)
        settings.sampler = .independent
        let data = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(RestorationSettings.self, from: data) == settings)
        #expect(throws: SettingsError.self) {
            try JSONDecoder().decode(RestorationSettings.self, from: Data(#"{"scale": 5}"#.utf8))
        }
        #expect(throws: SettingsError.self) {
            try JSONDecoder().decode(RestorationSettings.self, from: Data(#"{"colour": 1}"#.utf8))
        }
    }

    @Test(arguments: ["true", "[4]", #"{"of": 4}"#, "4.5", #""four""#, "null"])
    func `a value of the wrong type in JSON names the key and what is allowed`(_ value: String) throws {
        let error = try #require(throws: SettingsError.self) {
            try JSONDecoder().decode(RestorationSettings.self, from: Data(#"{"scale": \#(value)}"#.utf8))
        }
        #expect(error.code == .invalidValue)
        #expect(error.description.contains("scale is"))
        #expect(error.description.contains("2, 3, 4 or 8"))
    }

    @Test func `only settings that determine the result make another job of it`() {
        var other = RestorationSettings()
        other.threads = 3
        other.checkpointInterval = 1
        #expect(other.determiningResult == RestorationSettings().determiningResult)
        other.seed = 1
        #expect(other.determiningResult != RestorationSettings().determiningResult)
    }
}
