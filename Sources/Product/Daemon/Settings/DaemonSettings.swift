import Foundation
public import Jobs
public import Logging
public import SystemPackage

/// The daemon's settings, every one in its range. `Config/dkpd.yaml` explains each.
public struct DaemonSettings: Sendable, Equatable {
    /// What becomes of an image that has been restored before with the same settings.
    public enum Duplicates: String, Sendable, CaseIterable {
        /// It is restored again, as any other.
        case process
        /// It is put into rejected, with the name of the earlier result.
        case skip
    }

    /// The folder that holds inbox, jobs, outbox and rejected.
    public var stateDirectory: FilePath = "/var/lib/dkpd"
    /// The worker program; nil takes the `dkp` beside the daemon's own executable.
    public var worker: FilePath?
    /// How many jobs are worked on at once, 1 to 256.
    public var workers = 1
    /// Compute threads of each worker, 1 to 1024; nil shares the processors out among the workers.
    public var threads: Int?
    /// Seconds between two listings of the inbox, 0.1 to 3600.
    public var rescanInterval: Duration = .seconds(10)
    /// Seconds for which a file without an event must not have changed, 0.05 to 3600.
    public var settleTime: Duration = .seconds(2)
    /// What becomes of an image that has been restored before with the same settings.
    public var duplicates = Duplicates.process
    /// How often a worker may fail without getting on before its job is rejected, 1 to 100.
    public var attempts = 3
    /// Seconds before the first retry, doubled for each further one, 0.05 to 3600.
    public var retryDelay: Duration = .seconds(10)
    /// Seconds for which a worker may show no progress before it is ended and its job counts a failure, 1 to 86400; at
    /// least twenty steps' time. Nil never ends one for that.
    public var stallTime: Duration? = .seconds(600)
    /// Free bytes on the state folder's file system below which no work is begun.
    public var freeSpaceFloor = 64 << 20
    /// Days after which finished results are removed, 1 to 36500; nil keeps them.
    public var keepResults: Int?
    /// The memory that each worker may take, in bytes; nil for no limit.
    public var memoryLimit: Int?
    /// How much more than the daemon workers give way to other programs, 0 to 19.
    public var niceness = 0
    /// The largest file, in bytes.
    public var maximumBytes = 512 << 20
    /// The largest image, in pixels.
    public var maximumPixels = 64 << 20
    /// The greatest width and height of an image, in pixels.
    public var maximumSide = 32_768
    /// The least level that is logged.
    public var logLevel = Logger.Level.info
    /// What is asked of images without settings of their own.
    public var restoration = RestorationSettings()

    /// How long a worker that was asked to stop may take: less than the daemon's own ten seconds.
    static let stopTime = Duration.seconds(7)

    /// The defaults.
    public init() {}

    /// Reads settings from YAML text alone; what it does not name has its default.
    /// - Parameter source: the text's name in errors.
    public init(yaml: String, source: String) throws(DaemonError) {
        self = try SettingsSources().resolve(SettingsFile(yaml: yaml, source: source))
    }

    /// The largest input.
    var inputLimits: InputLimits { InputLimits(bytes: maximumBytes, pixels: maximumPixels, side: maximumSide) }

    /// Compute threads of each worker.
    public var threadsPerWorker: Int { threads ?? max(1, Self.processors / workers) }

    /// How many processors this process may use.
    package static var processors: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// Refuses more threads than there are processors: they would only be in each other's way.
    package func checkProcessors(_ processors: Int = processors) throws(DaemonError) {
        let share = threads ?? max(1, processors / workers)
        guard workers * share > processors else { return }
        throw DaemonError(
            .settings,
            "workers is \(workers) and threads is \(threads.map(String.init) ?? "1"), which makes \(workers * share), but this "
                + "machine has \(processors) processors; lower one of the two")
    }
}
