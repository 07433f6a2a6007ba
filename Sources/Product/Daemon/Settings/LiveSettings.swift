import Synchronization

/// The settings in force, which may be replaced while the daemon runs: whoever begins something asks for them then.
package final class LiveSettings: Sendable {
    private let settings: Mutex<DaemonSettings>

    package init(_ settings: DaemonSettings) { self.settings = Mutex(settings) }

    /// The settings in force now.
    package var current: DaemonSettings { settings.withLock { $0 } }

    /// Puts others in force, but for those that can change only when the daemon starts.
    /// - Returns: the names of settings whose new values have to wait for that.
    package func replace(with new: DaemonSettings) -> [DaemonSettingKey] {
        settings.withLock { settings in
            var replaced = new
            var waiting: [DaemonSettingKey] = []
            func keep<Value: Equatable>(_ key: DaemonSettingKey, _ value: WritableKeyPath<DaemonSettings, Value>) {
                if new[keyPath: value] != settings[keyPath: value] { waiting.append(key) }
                replaced[keyPath: value] = settings[keyPath: value]
            }
            keep(.stateDirectory, \.stateDirectory)
            keep(.worker, \.worker)
            keep(.memoryLimit, \.memoryLimit)
            keep(.niceness, \.niceness)
            keep(.logLevel, \.logLevel)
            settings = replaced
            return waiting
        }
    }
}
