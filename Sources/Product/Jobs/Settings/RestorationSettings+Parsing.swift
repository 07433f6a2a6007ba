import Foundation
import KernelFamilies
package import YAML

extension RestorationSettings {
    /// Sets one value from its text, as flags, environment variables and `key=value` overrides give it. An empty text
    /// unsets an optional setting.
    /// - Parameter source: named in errors: a file's path, a flag, an environment variable.
    public mutating func set(_ name: String, to text: String, source: String) throws(SettingsError) {
        guard let key = SettingKey(rawValue: name) else { throw .unknown(name, source: source) }
        guard assign(key, text) else { throw .invalid(key, text, source: source) }
    }

    /// Applies one `key=value` override.
    public mutating func apply(override text: String, source: String) throws(SettingsError) {
        guard let equals = text.firstIndex(of: "=") else {
            throw .malformed("\"\(Spelling.excerpt(text))\" is not of the form key=value", source: source)
        }
        try set(String(text[..<equals]), to: String(text[text.index(after: equals)...]), source: source)
    }

    /// Applies a YAML (or JSON) mapping of settings over the present values; keys that it does not name stay as they
    /// are. An empty text changes nothing.
    public mutating func apply(yaml text: String, source: String) throws(SettingsError) {
        guard let value = try Self.value(of: Array(text.utf8), limit: YAMLValue.sizeLimit, source: source) else {
            return
        }
        try apply(value, source: source)
    }

    /// What a text of settings says; nil if nothing.
    package static func value(
        of bytes: [UInt8], limit: Int, source: String
    ) throws(SettingsError) -> YAMLValue? {
        do {
            return try YAMLValue(bytes, limit: limit)
        } catch {
            throw .malformed("not readable as YAML: \(error)", source: source)
        }
    }

    /// Applies a parsed YAML mapping of settings, such as a section of a larger file.
    /// - Parameter others: further names that the mapping may hold, which the caller reads.
    package mutating func apply(
        _ value: YAMLValue, source: String, besides others: [String] = []
    ) throws(SettingsError) {
        guard let mapping = value.mapping else {
            throw .malformed("not a list of \"setting: value\" lines", source: source)
        }
        for entry in mapping where !others.contains(entry.key) {
            guard let key = SettingKey(rawValue: entry.key) else {
                throw .unknown(entry.key, source: source, besides: others)
            }
            // Only a bare null unsets: an empty string in quotes is a value like any other, and a wrong one.
            let isAssigned: Bool
            if let scalar = entry.value.scalar {
                isAssigned =
                    scalar.isNull ? key.isOptional && assign(key, "") : !scalar.text.isEmpty && assign(key, scalar.text)
            } else {
                isAssigned = false
            }
            guard isAssigned else { throw .invalid(key, entry.value.words, source: source) }
        }
    }

    /// Applies the environment variables that name settings: `DKP_SCALE`, `DKP_KERNEL_CENTRE` and so on.
    /// - Parameter others: further variables that may be there, such as the daemon's.
    /// - Throws: ``SettingsError`` for a value that is not allowed, and for a variable that begins as ours do and is none.
    public mutating func apply(environment: [String: String], besides others: [String] = []) throws(SettingsError) {
        let names = Dictionary(uniqueKeysWithValues: SettingKey.allCases.map { ($0.variable, $0) })
        try SettingVariables.check(environment, known: names.keys.sorted(), besides: others)
        for (name, text) in environment.sorted(by: { $0.key < $1.key }) {
            if let key = names[name] { try set(key.rawValue, to: text, source: "environment variable \(name)") }
        }
    }

    /// Checks every range; for values that were not parsed.
    public func validate(source: String) throws(SettingsError) {
        var copy = self
        for (key, text) in texts {
            guard copy.assign(key, text) else { throw .invalid(key, text, source: source) }
        }
    }

    /// The text of every setting, empty for those not set.
    package var texts: [(key: SettingKey, text: String)] {
        SettingKey.allCases.map { key in
            let text =
                switch key {
                case .method: method.rawValue
                case .preset: preset.rawValue
                case .scale: String(scale)
                case .kernel: kernel?.rawValue ?? ""
                case .kernelCentre: kernelCentre.rawValue
                case .noise: noise.map { String($0) } ?? Self.estimated
                case .boundary: boundary.rawValue
                case .steps: steps.map(String.init) ?? ""
                case .seed: String(seed)
                case .precision: precision.rawValue
                case .threads: threads.map(String.init) ?? ""
                case .checkpointInterval: String(checkpointInterval)
                case .sampler: sampler?.rawValue ?? ""
                case .oracleKernel: oracleKernel ?? ""
                case .weights: weights ?? ""
                case .diffusionSteps: diffusionSteps.map(String.init) ?? ""
                case .diffusionSampler: diffusionSampler.rawValue
                case .eta: String(eta)
                case .dataConsistency: dataConsistency.rawValue
                case .classLabel: classLabel.map(String.init) ?? ""
                }
            return (key, text)
        }
    }

    /// Assigns the value that `text` stands for; false if it stands for none that is allowed.
    package mutating func assign(_ key: SettingKey, _ text: String) -> Bool {
        if text.isEmpty {
            guard key.isOptional else { return false }
            switch key {
            case .kernel: kernel = nil
            case .steps: steps = nil
            case .diffusionSteps: diffusionSteps = nil
            case .threads: threads = nil
            case .sampler: sampler = nil
            case .oracleKernel: oracleKernel = nil
            case .weights: weights = nil
            case .classLabel: classLabel = nil
            default: return false
            }
            return true
        }
        return switch key {
        case .method: Self.store(Method(rawValue: text), in: &method)
        case .preset: Self.store(Preset(rawValue: text), in: &preset)
        case .scale:
            Self.store(Int(text).flatMap { scalesAllowed.contains($0) ? $0 : nil }, in: &scale)
        case .kernel: Self.store(KernelFamily(rawValue: text), in: &kernel)
        case .kernelCentre: Self.store(KernelCentre(rawValue: text), in: &kernelCentre)
        case .noise: storeNoise(text)
        case .boundary: Self.store(Boundary(rawValue: text), in: &boundary)
        case .steps: Self.store(Self.whole(text, in: 1...100_000), in: &steps)
        case .seed: Self.store(UInt64(text), in: &seed)
        case .precision: Self.store(Precision(rawValue: text), in: &precision)
        case .threads: Self.store(Self.whole(text, in: 1...1024), in: &threads)
        case .checkpointInterval:
            Self.store(Double(text).flatMap { (0.1...86_400).contains($0) ? $0 : nil }, in: &checkpointInterval)
        case .sampler: Self.store(Sampler(rawValue: text), in: &sampler)
        case .oracleKernel: Self.store(text, in: &oracleKernel)
        case .weights: Self.store(text.utf8.contains(0) ? nil : text, in: &weights)
        case .diffusionSteps: Self.store(Self.whole(text, in: 1...100_000), in: &diffusionSteps)
        case .diffusionSampler: Self.store(DiffusionSampler(rawValue: text), in: &diffusionSampler)
        case .eta: Self.store(Double(text).flatMap { (0...1).contains($0) ? $0 : nil }, in: &eta)
        case .dataConsistency: Self.store(DataConsistency(rawValue: text), in: &dataConsistency)
        case .classLabel: Self.store(Self.whole(text, in: 0...1_000_000), in: &classLabel)
        }
    }

    private var scalesAllowed: [Int] { oracleKernel == nil ? Self.scales : Self.scalesOfKnownBlur }

    /// What stands for a value that is estimated from the image.
    static let estimated = "auto"

    private mutating func storeNoise(_ text: String) -> Bool {
        if text == Self.estimated {
            noise = nil
            return true
        }
        return Self.store(Double(text).flatMap { (0...100).contains($0) ? $0 : nil }, in: &noise)
    }

    private static func whole(_ text: String, in range: ClosedRange<Int>) -> Int? {
        Int(text).flatMap { range.contains($0) ? $0 : nil }
    }

    private static func store<Value>(_ value: Value?, in place: inout Value) -> Bool {
        guard let value else { return false }
        place = value
        return true
    }

    private static func store<Value>(_ value: Value?, in place: inout Value?) -> Bool {
        guard let value else { return false }
        place = value
        return true
    }
}
