public import Failures
import Foundation

/// Settings that cannot be used: one sentence naming the source, the key, the value and what is allowed.
public struct SettingsError: Failure, Equatable {
    /// The kind of error.
    public enum Code: String, Sendable {
        /// There is no setting of that name.
        case unknownKey = "unknown_setting"
        /// A value of the wrong type or out of range.
        case invalidValue = "invalid_setting"
        /// The text is not YAML or JSON, or not a list of settings.
        case malformed = "malformed_settings"
    }

    /// The kind of error.
    public let code: Code
    /// Where the setting stands: a file's path, a flag, an environment variable.
    public let source: String
    /// The setting's name, if the error is about one.
    public let key: String?
    /// The sentence.
    public let message: String

    package static func unknown(_ key: String, source: String, besides others: [String] = []) -> SettingsError {
        let known = (SettingKey.allCases.map(\.rawValue) + others).joined(separator: ", ")
        return SettingsError(
            code: .unknownKey, source: source, key: key,
            message: "\(source): unknown setting \"\(Spelling.excerpt(key))\"; known settings: \(known)")
    }

    static func invalid(_ key: SettingKey, _ value: String, source: String) -> SettingsError {
        invalid(key.rawValue, value, allowed: key.allowed, source: source)
    }

    package static func invalid(_ key: String, _ value: String, allowed: String, source: String) -> SettingsError {
        SettingsError(
            code: .invalidValue, source: source, key: key,
            message: "\(source): \(key) is \"\(Spelling.excerpt(value))\"; allowed: \(allowed)")
    }

    package static func malformed(_ problem: String, source: String) -> SettingsError {
        SettingsError(code: .malformed, source: source, key: nil, message: "\(source): \(problem)")
    }

    /// The kind of error, for programs.
    public var name: String { code.rawValue }
    /// The exit code that stands for it.
    public var exitStatus: ExitStatus { .badSettings }
}
