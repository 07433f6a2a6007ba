package import Jobs

/// The name of any setting that the daemon takes, and the rule by which its spellings follow from it: `limits: bytes` in
/// the settings file is `--limits-bytes` as a flag and `DKP_LIMITS_BYTES` in the environment.
package enum SettingName: Sendable, Hashable {
    /// A setting of the daemon itself.
    case daemon(DaemonSettingKey)
    /// A setting of the restorations that it runs, in the section `restoration`.
    case restoration(SettingKey)

    /// All settings.
    package static let all = DaemonSettingKey.allCases.map(Self.daemon) + SettingKey.allCases.map(Self.restoration)

    /// The section, if there is one, and the name.
    package var path: [String] {
        switch self {
        case .daemon(let key): key.rawValue.split(separator: ".").map(String.init)
        case .restoration(let key): ["restoration", key.rawValue]
        }
    }

    /// Section and name with a dot between them.
    package var dotted: String { path.joined(separator: ".") }
    /// The flag of `dkpd`.
    package var flag: String { "--" + path.joined(separator: "-").replacing("_", with: "-") }
    /// The environment variable.
    package var variable: String { "DKP_" + path.joined(separator: "_").uppercased() }

    /// The allowed values, in words.
    var allowed: String {
        switch self {
        case .daemon(let key): key.allowed
        case .restoration(let key): key.allowed
        }
    }

    /// Whether null (in the file) or an empty value (elsewhere) stands for "not set".
    var isOptional: Bool {
        switch self {
        case .daemon(let key): key.isOptional
        case .restoration(let key): key.isOptional
        }
    }

    /// Assigns the value that `text` stands for; false if it stands for none that is allowed.
    func assign(_ text: String, in settings: inout DaemonSettings) -> Bool {
        switch self {
        case .daemon(let key): key.assign(text, in: &settings)
        case .restoration(let key): settings.restoration.assign(key, text)
        }
    }

    /// The error of a value that is not allowed.
    func invalid(_ value: String, source: String) -> DaemonError {
        DaemonError(
            .settings,
            "\(source): \(path.joined(separator: ": ")) is \"\(Spelling.excerpt(value))\"; allowed: \(allowed)")
    }
}
