import Logging
import Restoration
import SystemPackage
import Yams

extension DaemonSettings {
    /// The names of all settings in the file.
    package static var keys: [String] { Key.allCases.map(\.rawValue) }

    /// The names of the settings in the file.
    enum Key: String, CaseIterable {
        case stateDirectory = "state_dir"
        case worker
        case workers
        case threads
        case rescanInterval = "rescan_interval"
        case settleTime = "settle_time"
        case attempts
        case retryDelay = "retry_delay"
        case freeSpaceFloor = "free_space_floor"
        case keepResults = "keep_results"
        case memoryLimit = "memory_limit"
        case niceness
        case limits
        case logLevel = "log_level"
        case restoration
    }

    /// The names of the settings under "limits".
    enum LimitKey: String, CaseIterable {
        case bytes, pixels
    }

    mutating func apply(yaml text: String, source: String) throws(DaemonError) {
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw DaemonError(.settings, "\(source): not readable as YAML: \(error)")
        }
        guard let node, node.null == nil else { return }
        for (key, value) in try Self.entries(of: node, Key.self, section: nil, source: source) {
            try assign(key, value, source)
        }
    }

    private mutating func assign(_ key: Key, _ node: Node, _ source: String) throws(DaemonError) {
        let reader = Reader(node: node, name: key.rawValue, source: source)
        switch key {
        case .stateDirectory: stateDirectory = try reader.path()
        case .worker: worker = reader.isNull ? nil : try reader.path()
        case .workers: workers = try reader.whole(1...256)
        case .threads: threads = reader.isNull ? nil : try reader.whole(1...1024)
        case .rescanInterval: rescanInterval = try reader.seconds(0.1...3600)
        case .settleTime: settleTime = try reader.seconds(0.05...3600)
        case .attempts: attempts = try reader.whole(1...100)
        case .retryDelay: retryDelay = try reader.seconds(0.05...3600)
        case .freeSpaceFloor: freeSpaceFloor = try reader.whole(0...(1 << 50))
        case .keepResults: keepResults = reader.isNull ? nil : try reader.whole(1...36_500)
        case .memoryLimit: memoryLimit = reader.isNull ? nil : try reader.whole(64 << 20...1 << 50)
        case .niceness: niceness = try reader.whole(0...19)
        case .limits:
            for (key, value) in try Self.entries(of: node, LimitKey.self, section: key.rawValue, source: source) {
                let reader = Reader(node: value, name: "limits: \(key.rawValue)", source: source)
                switch key {
                case .bytes: maximumBytes = try reader.whole(1...(1 << 40))
                case .pixels: maximumPixels = try reader.whole(1...(1 << 40))
                }
            }
        case .logLevel:
            guard let level = Logger.Level(rawValue: reader.text) else {
                throw reader.error(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))
            }
            logLevel = level
        case .restoration:
            do throws(SettingsError) {
                if !reader.isNull { try restoration.apply(node, source: "\(source), restoration") }
            } catch {
                throw DaemonError(.settings, error.description)
            }
        }
    }

    /// The entries of a mapping, each of a known name and given once.
    private static func entries<Name: RawRepresentable & CaseIterable>(
        of node: Node, _: Name.Type, section: String?, source: String
    ) throws(DaemonError) -> [(Name, Node)] where Name.RawValue == String {
        let place = section.map { "\(source), \($0)" } ?? source
        guard let mapping = node.mapping else {
            throw DaemonError(.settings, "\(place): not a list of \"setting: value\" lines")
        }
        var entries: [(Name, Node)] = []
        for (key, value) in mapping {
            guard let text = key.string, let name = Name(rawValue: text) else {
                let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
                throw DaemonError(
                    .settings, "\(place): unknown setting \"\(key.string ?? "?")\"; known settings: \(known)")
            }
            entries.append((name, value))
        }
        return entries
    }
}

/// Reads one value strictly; errors name the source, the setting, the value and what is allowed.
private struct Reader {
    let node: Node
    let name: String
    let source: String

    var text: String { node.scalar?.string ?? (node.sequence != nil ? "a list" : "a mapping") }
    var isNull: Bool { node.null != nil }

    func error(_ allowed: String) -> DaemonError {
        DaemonError(.settings, "\(source): \(name) is \"\(text)\"; allowed: \(allowed)")
    }

    func whole(_ range: ClosedRange<Int>) throws(DaemonError) -> Int {
        guard node.scalar != nil, let value = Int(text), range.contains(value) else {
            throw error("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func seconds(_ range: ClosedRange<Double>) throws(DaemonError) -> Duration {
        guard node.scalar != nil, let value = Double(text), range.contains(value) else {
            throw error("seconds from \(range.lowerBound) to \(range.upperBound)")
        }
        return .seconds(value)
    }

    func path() throws(DaemonError) -> FilePath {
        let path = FilePath(text)
        guard node.scalar != nil, !isNull, path.isAbsolute else { throw error("a path that begins with /") }
        return path
    }
}
