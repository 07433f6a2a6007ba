import Daemon
import Foundation
import Logging
import Restoration
import SystemPackage
import TestSupport
import Testing

@Suite struct `Daemon settings` {
    /// The repository's own settings file.
    var documented: String {
        get throws {
            let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            return try String(contentsOf: root.appendingPathComponent("Config/dkpd.yaml"), encoding: .utf8)
        }
    }

    @Test func `as documented are the defaults`() throws {
        #expect(try DaemonSettings(yaml: documented, source: "dkpd.yaml") == DaemonSettings())
        // A setting is a "#" and a name with no space between, or one level deeper, "#  name".
        let uncommented = try documented.split(separator: "\n").map { line in
            line.range(of: #"^#( {2})?[a-z_]+:"#, options: .regularExpression) == nil
                ? String(line) : String(line.dropFirst())
        }.filter { !$0.hasPrefix("worker:") && !$0.hasPrefix("#") }.joined(separator: "\n")
        #expect(try DaemonSettings(yaml: uncommented, source: "dkpd.yaml") == DaemonSettings())
        for key in DaemonSettings.keys {
            #expect(try documented.contains("\n#\(key):"), "Config/dkpd.yaml does not document \(key)")
        }
    }

    @Test func `are read from a file`() throws {
        let yaml = """
            state_dir: /srv/images
            worker: /opt/dkp
            workers: 2
            threads: 4
            rescan_interval: 0.5
            keep_results: 30
            memory_limit: 1073741824
            niceness: 5
            limits: {bytes: 1000, pixels: 2000}
            log_level: debug
            restoration:
              scale: 2
              steps: 10
            """
        let settings = try withTemporaryDirectory { path in
            try drop(yaml, FilePath(path).appending("dkpd.yaml"))
            return try DaemonSettings(file: FilePath(path).appending("dkpd.yaml"))
        }
        var expected = DaemonSettings()
        expected.stateDirectory = "/srv/images"
        expected.worker = "/opt/dkp"
        expected.workers = 2
        expected.threads = 4
        expected.rescanInterval = .seconds(0.5)
        expected.keepResults = 30
        expected.memoryLimit = 1 << 30
        expected.niceness = 5
        expected.maximumBytes = 1000
        expected.maximumPixels = 2000
        expected.logLevel = .debug
        expected.restoration.scale = 2
        expected.restoration.steps = 10
        #expect(settings == expected)
    }

    @Test(arguments: [
        ("worker_count: 2", "unknown setting \"worker_count\""),
        ("workers: 0", "workers is \"0\"; allowed: a whole number from 1 to 256"),
        ("workers: two", "workers is \"two\""), ("workers: [1]", "workers is \"a list\""),
        ("workers: null", "workers is \"null\""),
        ("rescan_interval: 1e9", "rescan_interval is \"1e9\"; allowed: seconds from 0.1 to 3600.0"),
        ("rescan_interval: nan", "rescan_interval is \"nan\""),
        ("state_dir: relative", "state_dir is \"relative\"; allowed: a path that begins with /"),
        ("limits: {colour: 1}", "limits: unknown setting \"colour\""),
        ("limits: {bytes: -1}", "limits: bytes is \"-1\""), ("limits: 5", "limits: not a list"),
        ("log_level: loud", "log_level is \"loud\"; allowed: trace, debug"),
        ("restoration: {scale: 5}", "scale is \"5\"; allowed: 2, 3, 4 or 8"),
        ("restoration: {scael: 4}", "unknown setting \"scael\""),
        ("- 1", "not a list of \"setting: value\" lines"), ("a: b: c", "not readable as YAML"),
    ]) func `out of place are errors that name them`(yaml: String, sentence: String) {
        let error = #expect(throws: DaemonError.self) { try DaemonSettings(yaml: yaml, source: "x.yaml") }
        #expect(error?.code == .settings && error?.exitCode == 78)
        #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
        #expect(error?.description.hasPrefix("x.yaml") == true)
    }

    @Test func `of an empty file are the defaults`() throws {
        #expect(try DaemonSettings(yaml: "", source: "x") == DaemonSettings())
    }

    @Test func `share the processors out among the workers`() {
        var settings = DaemonSettings()
        settings.workers = 256
        #expect(settings.threadsPerWorker == 1)
        settings.threads = 3
        #expect(settings.threadsPerWorker == 3)
    }

    @Test(arguments: [(1, nil, true), (8, nil, true), (9, nil, false), (2, 4, true), (2, 5, false), (1, 9, false)])
    func `that ask for more threads than there are processors are refused`(
        workers: Int, threads: Int?, isFine: Bool
    ) {
        var settings = DaemonSettings()
        settings.workers = workers
        settings.threads = threads
        do throws(DaemonError) {
            try settings.checkProcessors(8)
            #expect(isFine)
        } catch {
            #expect(!isFine && error.exitCode == 78)
            #expect(error.description.contains("workers is \(workers)") && error.description.contains("8 processors"))
        }
    }
}
