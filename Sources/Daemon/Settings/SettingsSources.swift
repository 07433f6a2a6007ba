import Configuration
import Restoration
import Synchronization
import SystemPackage

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

    /// Whether a variable with our prefix concerns the build or the demonstration of this program, not its settings.
    private static func concernsTools(_ variable: String) -> Bool {
        ["DKP_WARNINGS_AS_ERRORS", "DKP_STATIC_RUNTIME"].contains(variable) || variable.hasPrefix("DKP_DEMO_")
    }

    /// Reads the settings; the file is read anew each time.
    /// - Throws: ``DaemonError`` naming the source, the setting, the value and what is allowed.
    public func read() throws(DaemonError) -> DaemonSettings {
        guard let file else { return try resolve(nil) }
        return try resolve(SettingsFile(file))
    }

    /// The settings that these flags, this environment and that file amount to.
    func resolve(_ file: SettingsFile?) throws(DaemonError) -> DaemonSettings {
        try checkEnvironment()
        let reporter = Reporter()
        let values = ConfigReader(
            providers: [
                InMemoryProvider(name: "flags", values: Self.values(flags.map { (key: [$0.key], text: $0.value) })),
                EnvironmentVariablesProvider(environmentVariables: environment).mapKeys { key in
                    AbsoluteConfigKey(["dkp"] + key.components)
                },
                InMemoryProvider(
                    name: "file", values: Self.values((file?.values ?? [:]).map { (key: $0.key.path, text: $0.value) })),
            ], accessReporter: reporter
        ).snapshot()
        var settings = DaemonSettings()
        for name in SettingName.all {
            guard let text = values.string(forKey: ConfigKey(name.path)) else { continue }
            guard name.assign(text, in: &settings) else {
                let source =
                    switch reporter.lastSource {
                    case 0: "flag \(name.flag)"
                    case 1: "environment variable \(name.variable)"
                    default: file?.source ?? "settings"
                    }
                throw name.invalid(text, source: source)
            }
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

    /// Refuses variables that begin as ours do and are none of them: whoever set one meant something by it.
    private func checkEnvironment() throws(DaemonError) {
        let known = SettingName.all.map(\.variable)
        for variable in environment.keys.sorted() where variable.hasPrefix("DKP_") {
            if known.contains(variable) || Self.concernsTools(variable) { continue }
            let ofRestoration = "DKP_RESTORATION_" + variable.dropFirst("DKP_".count)
            let meant = known.contains(ofRestoration) ? ofRestoration : Spelling.nearest(to: variable, among: known)
            throw DaemonError(
                .settings,
                "environment variable \(variable): no such setting; "
                    + (meant.map { "\($0) may be meant" } ?? "known: \(known.joined(separator: ", "))"))
        }
    }

    /// Notes which of the sources a value came from.
    private final class Reporter: AccessReporter {
        private let last = Mutex(0)

        /// The place of the last value's source among all.
        var lastSource: Int { last.withLock { $0 } }

        func report(_ event: AccessEvent) { last.withLock { $0 = event.providerResults.count - 1 } }
    }
}
