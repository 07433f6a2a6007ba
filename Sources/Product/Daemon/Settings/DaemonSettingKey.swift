import Logging
import SystemPackage

/// The name of a setting of the daemon itself; a dot stands between a section of the settings file and a name in it.
package enum DaemonSettingKey: String, Sendable, CaseIterable {
    case stateDirectory = "state_dir"
    case worker
    case workers
    case threads
    case rescanInterval = "rescan_interval"
    case settleTime = "settle_time"
    case duplicates
    case attempts
    case retryDelay = "retry_delay"
    case stallTime = "stall_time"
    case freeSpaceFloor = "free_space_floor"
    case keepResults = "keep_results"
    case memoryLimit = "memory_limit"
    case niceness
    case maximumBytes = "limits.bytes"
    case maximumPixels = "limits.pixels"
    case maximumSide = "limits.side"
    case logLevel = "log_level"

    /// The allowed values, in words.
    package var allowed: String {
        switch self {
        case .stateDirectory: "a path that begins with /"
        case .worker: "a path that begins with /, or null for the dkp beside dkpd"
        case .workers: Self.words(numbers)
        case .threads: Self.words(numbers) + ", or null to share the processors out"
        case .rescanInterval: Self.words(seconds)
        case .settleTime: Self.words(seconds)
        case .duplicates: DaemonSettings.Duplicates.allCases.map(\.rawValue).joined(separator: ", ")
        case .attempts: Self.words(numbers)
        case .retryDelay: Self.words(seconds)
        case .stallTime: Self.words(seconds) + ", or 0 or null for never"
        case .freeSpaceFloor, .niceness: Self.words(numbers)
        case .keepResults: Self.words(numbers) + ", in days, or null for ever"
        case .memoryLimit: Self.words(numbers) + ", or null for no limit"
        case .maximumBytes, .maximumPixels, .maximumSide: Self.words(numbers)
        case .logLevel: Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        }
    }

    /// Whether null (in the file) or an empty value (elsewhere) stands for "not set".
    var isOptional: Bool { [.worker, .threads, .stallTime, .keepResults, .memoryLimit].contains(self) }

    /// The allowed numbers, where they are whole ones.
    private var numbers: ClosedRange<Int> {
        switch self {
        case .workers: 1...256
        case .threads: 1...1024
        case .attempts: 1...100
        case .freeSpaceFloor: 0...(1 << 50)
        case .keepResults: 1...36_500
        case .memoryLimit: (64 << 20)...(1 << 50)
        case .niceness: 0...19
        // At eight times the size, a side still fits an image file.
        case .maximumSide: 1...(1 << 24)
        default: 1...(1 << 40)
        }
    }

    /// The allowed seconds, where they are a time.
    private var seconds: ClosedRange<Double> {
        switch self {
        case .rescanInterval: 0.1...3600
        case .stallTime: 1...86_400
        default: 0.05...3600
        }
    }

    private static func words(_ range: ClosedRange<Int>) -> String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }

    private static func words(_ range: ClosedRange<Double>) -> String {
        "seconds from \(range.lowerBound) to \(range.upperBound)"
    }

    /// Assigns the value that `text` stands for; false if it stands for none that is allowed.
    package func assign(_ text: String, in settings: inout DaemonSettings) -> Bool {
        if text.isEmpty {
            switch self {
            case .worker: settings.worker = nil
            case .threads: settings.threads = nil
            case .stallTime: settings.stallTime = nil
            case .keepResults: settings.keepResults = nil
            case .memoryLimit: settings.memoryLimit = nil
            default: return false
            }
            return true
        }
        return switch self {
        case .stateDirectory: Self.store(Self.path(text)) { settings.stateDirectory = $0 }
        case .worker: Self.store(Self.path(text)) { settings.worker = $0 }
        case .workers: Self.store(Self.whole(text, numbers)) { settings.workers = $0 }
        case .threads: Self.store(Self.whole(text, numbers)) { settings.threads = $0 }
        case .rescanInterval: Self.store(Self.seconds(text, seconds)) { settings.rescanInterval = $0 }
        case .settleTime: Self.store(Self.seconds(text, seconds)) { settings.settleTime = $0 }
        case .duplicates: Self.store(DaemonSettings.Duplicates(rawValue: text)) { settings.duplicates = $0 }
        case .attempts: Self.store(Self.whole(text, numbers)) { settings.attempts = $0 }
        case .retryDelay: Self.store(Self.seconds(text, seconds)) { settings.retryDelay = $0 }
        case .stallTime where Double(text) == 0: Self.store(true) { _ in settings.stallTime = nil }
        case .stallTime: Self.store(Self.seconds(text, seconds)) { settings.stallTime = $0 }
        case .freeSpaceFloor: Self.store(Self.whole(text, numbers)) { settings.freeSpaceFloor = $0 }
        case .keepResults: Self.store(Self.whole(text, numbers)) { settings.keepResults = $0 }
        case .memoryLimit: Self.store(Self.whole(text, numbers)) { settings.memoryLimit = $0 }
        case .niceness: Self.store(Self.whole(text, numbers)) { settings.niceness = $0 }
        case .maximumBytes: Self.store(Self.whole(text, numbers)) { settings.maximumBytes = $0 }
        case .maximumPixels: Self.store(Self.whole(text, numbers)) { settings.maximumPixels = $0 }
        case .maximumSide: Self.store(Self.whole(text, numbers)) { settings.maximumSide = $0 }
        case .logLevel: Self.store(Logger.Level(rawValue: text)) { settings.logLevel = $0 }
        }
    }

    private static func store<Value>(_ value: Value?, _ set: (Value) -> Void) -> Bool {
        guard let value else { return false }
        set(value)
        return true
    }

    private static func whole(_ text: String, _ range: ClosedRange<Int>) -> Int? {
        Int(text).flatMap { range.contains($0) ? $0 : nil }
    }

    private static func seconds(_ text: String, _ range: ClosedRange<Double>) -> Duration? {
        Double(text).flatMap { range.contains($0) ? .seconds($0) : nil }
    }

    private static func path(_ text: String) -> FilePath? {
        let path = FilePath(text)
        return path.isAbsolute ? path : nil
    }
}
