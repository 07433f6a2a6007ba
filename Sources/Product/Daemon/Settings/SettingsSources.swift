import Configuration
import Jobs
public import SystemPackage

/// Where the daemon's settings come from: a flag beats the environment, the environment beats the file, the file beats
/// the defaults.
public struct SettingsSources: Sendable {
    /// The flags that were given, by the names of their settings (``SettingName/dotted``).
    public var flags: [String: String]
    /// The environment.
    public var environment: [String: String]
    /// The settings file.
    public var file: FilePath?

    /// Sources of one's own; by default there are none.
    public init(flags: [String: String] = [:], environment: [String: String] = [:], file: FilePath? = nil) {
        self.flags = flags
        self.environment = environment
        self.file = file
    }

    /// Reads the settings; the file is read anew each time.
    /// - Throws: ``DaemonError`` naming the source, the setting, the value and what is allowed.
    public func read() throws(DaemonError) -> DaemonSettings {
        guard let file else { return try resolve(nil) }
        return try resolve(SettingsFile(file))
    }

    /// The settings that these flags, this environment and that file amount to.
    func resolve(_ file: SettingsFile?) throws(DaemonError) -> DaemonSettings {
        try checkVariables()
        try checkValues(file)
        let values = ConfigReader(
            providers: [
                InMemoryProvider(name: "flags", values: Self.values(flags.map { (key: [$0.key], text: $0.value) })),
                EnvironmentVariablesProvider(environmentVariables: environment).mapKeys { key in
                    AbsoluteConfigKey(["dkp"] + key.components)
                },
                InMemoryProvider(
                    name: "file", values: Self.values((file?.values ?? [:]).map { (key: $0.key.path, text: $0.value) })),
            ]
        ).snapshot()
        var settings = DaemonSettings()
        for name in SettingName.all {
            guard let text = values.string(forKey: ConfigKey(name.path)) else { continue }
            guard name.assign(text, in: &settings) else { throw name.invalid(text, source: "settings") }
        }
        return settings
    }

    private static func values(_ entries: [(key: [String], text: String)]) -> [AbsoluteConfigKey: ConfigValue] {
        Dictionary(
            uniqueKeysWithValues: entries.map { entry in
                // Flags are keyed by dotted names.
                let path = entry.key.flatMap { $0.split(separator: ".").map(String.init) }
                return (AbsoluteConfigKey(path), ConfigValue(.string(entry.text), isSecret: false))
            })
    }

    /// Refuses a value that is not allowed wherever it stands, also where another source has a better one: what is
    /// covered today may hold tomorrow.
    private func checkValues(_ file: SettingsFile?) throws(DaemonError) {
        var scratch = DaemonSettings()
        for name in SettingName.all {
            for (text, source) in [
                (flags[name.dotted], "flag \(name.flag)"),
                (environment[name.variable], "environment variable \(name.variable)"),
                (file?.values[name], file?.source ?? ""),
            ] {
                guard let text, !name.assign(text, in: &scratch) else { continue }
                throw name.invalid(text, source: source)
            }
        }
    }

    private func checkVariables() throws(DaemonError) {
        let known = SettingName.all.map(\.variable)
        do {
            try SettingVariables.check(environment, known: known) { variable in
                let ofRestoration = "DKP_RESTORATION_" + variable.dropFirst("DKP_".count)
                return known.contains(ofRestoration) ? ofRestoration : nil
            }
        } catch {
            throw DaemonError(.settings, error.message)
        }
    }
}
