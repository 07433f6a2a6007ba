package import Jobs
import YAML

/// What is asked of one dropped image: its restoration, and its turn among the others.
package struct ImageSettings: Sendable, Equatable {
    /// The settings of its restoration.
    package var restoration: RestorationSettings
    /// Its place in the queue, -100 to 100: higher ones come first, equal ones in the order of their arrival.
    package var priority = 0

    package init(restoration: RestorationSettings = RestorationSettings(), priority: Int = 0) {
        self.restoration = restoration
        self.priority = priority
    }

    /// The file with settings for all images of a sub-folder of the inbox.
    package static let folderFile = "dkp.yaml"

    /// The largest file of settings that is read, in bytes.
    static let sizeLimit = 65_536

    /// The places that there are.
    static let priorities = -100...100
    static let priorityName = "priority"

    /// Sets one value from its text.
    package mutating func set(_ name: String, to text: String, source: String) throws(SettingsError) {
        guard name == Self.priorityName else { return try restoration.set(name, to: text, source: source) }
        priority = try Self.priority(text, source: source)
    }

    private static func priority(_ text: String, source: String) throws(SettingsError) -> Int {
        guard let number = Int(text), priorities.contains(number) else {
            throw .invalid(
                priorityName, text, allowed: "a whole number from \(priorities.lowerBound) to \(priorities.upperBound)",
                source: source)
        }
        return number
    }

    /// Applies a file of settings from the inbox, which is a stranger's, over the present values.
    package mutating func apply(_ bytes: [UInt8], source: String) throws(SettingsError) {
        guard let value = try RestorationSettings.value(of: bytes, limit: Self.sizeLimit, source: source) else {
            return
        }
        let defaults = restoration
        try restoration.apply(value, source: source, besides: [Self.priorityName])
        // Whoever drops an image must not choose which files the daemon reads.
        guard restoration.oracleKernel == defaults.oracleKernel else {
            throw .malformed("oracle_kernel cannot be set for a dropped image; use dkp restore", source: source)
        }
        if let weights = restoration.weights, weights != defaults.weights, !WeightsLocation(weights).isName {
            throw .invalid(
                SettingKey.weights.rawValue, weights, allowed: "the name of a file in the daemon's folder of weights",
                source: source)
        }
        if let entry = value.mapping?.first(where: { $0.key == Self.priorityName }) {
            priority = try Self.priority(entry.value.words, source: source)
        }
    }
}
