import Foundation
import KernelFamilies

extension RestorationSettings: Codable {
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Decodes strictly: missing keys take their defaults; unknown keys and values out of range throw
    /// ``SettingsError``.
    public init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: AnyKey.self)
        // The kernel first: it decides on the scales that there are.
        func isKernel(_ key: AnyKey) -> Bool { key.stringValue == SettingKey.oracleKernel.rawValue }
        for key in container.allKeys.filter(isKernel) + container.allKeys.filter({ !isKernel($0) }) {
            let text: String
            if try container.decodeNil(forKey: key) {
                text = ""
            } else if let number = try? container.decode(UInt64.self, forKey: key) {
                text = String(number)
            } else if let number = try? container.decode(Double.self, forKey: key) {
                text = String(number)
            } else if let string = try? container.decode(String.self, forKey: key) {
                text = string
            } else if let truth = try? container.decode(Bool.self, forKey: key) {
                text = String(truth)
            } else {
                text = "a list or a mapping"
            }
            try set(key.stringValue, to: text, source: "settings")
        }
    }

    /// Encodes every setting, null for those not set.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SettingKey.self)
        try container.encode(method, forKey: .method)
        try container.encode(preset, forKey: .preset)
        try container.encode(scale, forKey: .scale)
        try container.encode(kernel, forKey: .kernel)
        try container.encode(kernelCentre, forKey: .kernelCentre)
        try container.encode(boundary, forKey: .boundary)
        if let noise {
            try container.encode(noise, forKey: .noise)
        } else {
            try container.encode(Self.estimated, forKey: .noise)
        }
        try container.encode(steps, forKey: .steps)
        try container.encode(seed, forKey: .seed)
        try container.encode(precision, forKey: .precision)
        try container.encode(threads, forKey: .threads)
        try container.encode(checkpointInterval, forKey: .checkpointInterval)
        try container.encode(sampler, forKey: .sampler)
        try container.encode(oracleKernel, forKey: .oracleKernel)
        try container.encode(weights, forKey: .weights)
        try container.encode(diffusionSteps, forKey: .diffusionSteps)
        try container.encode(diffusionSampler, forKey: .diffusionSampler)
        try container.encode(eta, forKey: .eta)
        try container.encode(dataConsistency, forKey: .dataConsistency)
        try container.encode(classLabel, forKey: .classLabel)
    }
}
