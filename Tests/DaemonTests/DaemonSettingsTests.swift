import Daemon
import Failures
import Foundation
import Jobs
import KernelFamilies
import Logging
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
        let isSetting = #"^#( {2})?[a-z_]+:"#
        let uncommented = try documented.split(separator: "\n").filter { line in
            line.range(of: isSetting, options: .regularExpression) != nil
        }.map { $0.dropFirst() }
        #expect(try DaemonSettings(yaml: uncommented.joined(separator: "\n"), source: "x") == DaemonSettings())
        var section = ""
        let names = uncommented.compactMap { line -> String? in
            let name = line.drop { $0 == " " }.prefix { $0 != ":" }
            if !line.hasPrefix(" ") { section = line.hasSuffix(":") ? "\(name)." : "" }
            return line.hasSuffix(":") ? nil : section + name
        }
        #expect(names.sorted() == SettingName.all.map(\.dotted).sorted())
    }

    @Test func `have flags of their names, each in the help`() throws {
        let help = try Programs.output("dkpd", ["--help-hidden"])
        for name in SettingName.all { #expect(help.contains("\(name.flag) "), "no flag \(name.flag)") }
    }

    @Test func `spell every name by one rule`() {
        let name = SettingName.restoration(.kernelCentre)
        #expect(name.dotted == "restoration.kernel_centre")
        #expect(name.flag == "--restoration-kernel-centre")
        #expect(name.variable == "DKP_RESTORATION_KERNEL_CENTRE")
        #expect(Set(SettingName.all.map(\.variable)).count == SettingName.all.count)
        #expect(Set(SettingName.all.map(\.flag)).count == SettingName.all.count)
    }

    @Test(arguments: SettingName.all) func `of any name can be given in the file, the environment and as a flag`(
        name: SettingName
    ) throws {
        let values = try #require(Self.values[name.dotted], "no values to test \(name.dotted) with")
        func line(_ value: String) -> String {
            name.path.dropLast().reduce("\(name.path.last ?? ""): \(value)") { "\($1):\n  \($0)" }
        }
        try withTemporaryDirectory { path in
            let file = FilePath(path).appending("dkpd.yaml")
            try drop(line(values[0]), file)
            let fromFile = try SettingsSources(file: file).read()
            // The same value means the same from everywhere.
            #expect(try SettingsSources(environment: [name.variable: values[0]]).read() == fromFile)
            #expect(try SettingsSources(flags: [name.dotted: values[0]]).read() == fromFile)
            let other = try SettingsSources(environment: [name.variable: values[1]]).read()
            #expect(values[0] == values[1] || other != fromFile)

            var sources = SettingsSources(environment: [name.variable: values[1], "HOME": "/"], file: file)
            #expect(try sources.read() == other)
            sources.flags = [name.dotted: values[0]]
            #expect(try sources.read() == fromFile)

            if !Self.anyText.contains(name.dotted) {
                sources.flags = [name.dotted: "\u{7}"]
                let error = #expect(throws: DaemonError.self) { try sources.read() }
                #expect(error?.description.hasPrefix("flag \(name.flag): ") == true, "\(String(describing: error))")
                sources.flags = [:]
                sources.environment = [name.variable: "\u{7}"]
                let other = #expect(throws: DaemonError.self) { try sources.read() }
                #expect(other?.description.hasPrefix("environment variable \(name.variable): ") == true)
            }
        }
    }

    /// Two values for each setting, different ones where there are several.
    private static let values: [String: [String]] = [
        "state_dir": ["/a", "/b"], "worker": ["/a", "/b"], "workers": ["2", "3"], "threads": ["2", "3"],
        "rescan_interval": ["1", "2"], "settle_time": ["1", "3"], "duplicates": ["skip", "process"],
        "attempts": ["1", "2"], "retry_delay": ["1", "2"], "stall_time": ["1", "2"], "free_space_floor": ["1", "2"],
        "keep_results": ["1", "2"], "memory_limit": ["67108864", "67108865"], "niceness": ["1", "2"],
        "limits.bytes": ["1", "2"], "limits.pixels": ["1", "2"],
        "limits.side": ["1", "2"], "log_level": ["debug", "error"],
        "restoration.method": ["dip-dkp", "pnp-dkp"], "restoration.preset": ["paper", "fast"],
        "restoration.scale": ["2", "3"], "restoration.kernel": ["gaussian", "motion"],
        "restoration.kernel_centre": ["fkp", "registered"], "restoration.noise": ["1.5", "auto"],
        "restoration.boundary": ["free", "circular"],
        "restoration.steps": ["1", "2"],
        "restoration.seed": ["1", "2"], "restoration.precision": ["f32", "bf16"],
        "restoration.threads": ["1", "2"], "restoration.checkpoint_interval": ["1", "2"],
        "restoration.sampler": ["independent", "metropolis"], "restoration.oracle_kernel": ["/a", "/b"],
        "restoration.weights": ["a.h5", "b.h5#c"], "restoration.diffusion_steps": ["10", "20"],
        "restoration.diffusion_sampler": ["ddim", "ddpm"], "restoration.eta": ["0.5", "1"],
        "restoration.data_consistency": ["gradient", "proximal"], "restoration.class_label": ["1", "2"],
    ]
    private static let anyText = ["restoration.oracle_kernel", "restoration.weights"]

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
            limits: {bytes: 1000, pixels: 2000, side: 300}
            log_level: debug
            restoration:
              scale: 2
              steps: 10
            """
        let settings = try withTemporaryDirectory { path in
            try drop(yaml, FilePath(path).appending("dkpd.yaml"))
            return try SettingsSources(file: FilePath(path).appending("dkpd.yaml")).read()
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
        expected.maximumSide = 300
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
        ("duplicates: drop", "duplicates is \"drop\"; allowed: process, skip"), ("workers: ''", "workers is \"\""),
        ("workers: 2\nworkers: 3", "not readable as YAML"), ("limits.bytes: 5", "unknown setting \"limits.bytes\""),
        ("log_level: loud", "log_level is \"loud\"; allowed: trace, debug"),
        ("restoration: {scale: 5}", "scale is \"5\"; allowed: 2, 3, 4 or 8"),
        ("restoration: {scael: 4}", "unknown setting \"scael\""),
        ("- 1", "not a list of \"setting: value\" lines"), ("a: b: c", "not readable as YAML"),
    ]) func `out of place are errors that name them`(yaml: String, sentence: String) {
        let error = #expect(throws: DaemonError.self) { try DaemonSettings(yaml: yaml, source: "x.yaml") }
        #expect(error?.code == .settings && error?.exitStatus == .badSettings)
        #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
        #expect(error?.description.hasPrefix("x.yaml") == true)
    }

    @Test(arguments: [
        ("DKP_WROKERS", "DKP_WORKERS may be meant"), ("DKP_SCALE", "DKP_RESTORATION_SCALE may be meant"),
        ("DKP_LIMITS", "known: DKP_STATE_DIR"), ("DKP_RESTORATION_STEP", "DKP_RESTORATION_STEPS may be meant"),
    ]) func `refuse a variable that looks like theirs and is not`(variable: String, sentence: String) {
        let sources = SettingsSources(environment: [variable: "2", "PATH": "/bin"])
        let error = #expect(throws: DaemonError.self) { try sources.read() }
        #expect(error?.description.contains("environment variable \(variable)") == true)
        #expect(error?.description.contains(sentence) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ("DKP_FOO", "1", 78, "no such setting"), ("DKP_STESP", "1", 78, "DKP_STEPS may be meant"),
        ("DKP_SCALE", "5", 78, "variable DKP_SCALE: scale is"), ("DKP_STATE_DIR", "/x", 66, "/nowhere/at/all.png"),
        ("DKP_WORKERS", "2", 66, "/nowhere/at/all.png"),
    ]) func `of the environment are checked by dkp restore as well, where flags cover them too`(
        variable: String, value: String, status: Int32, sentence: String
    ) async throws {
        try await withTemporaryDirectory { path in
            let end = try await Programs.captureAside(
                "dkp", ["restore", "/nowhere/at/all.png", "-o", "\(path)/out", "--scale", "2"],
                environment: [variable: value])
            #expect(end.status == status && end.errors.contains(sentence), "\(end)")
        }
    }

    @Test func `that a better source covers must be right as well`() throws {
        try withTemporaryDirectory { path in
            let file = FilePath(path).appending("dkpd.yaml")
            try drop("workers: many", file)
            var sources = SettingsSources(flags: ["workers": "2"], file: file)
            var error = #expect(throws: DaemonError.self) { try sources.read() }
            #expect(error?.description.contains("dkpd.yaml: workers is \"many\"") == true)
            sources = SettingsSources(flags: ["workers": "2"], environment: ["DKP_WORKERS": "0"])
            error = #expect(throws: DaemonError.self) { try sources.read() }
            #expect(error?.description.contains("variable DKP_WORKERS: workers is \"0\"") == true)
        }
    }

    @Test func `may begin with a byte-order mark, and are UTF-8`() throws {
        try withTemporaryDirectory { path in
            let file = FilePath(path).appending("dkpd.yaml")
            try drop("\u{FEFF}workers: 2\n", file)
            #expect(try SettingsSources(file: file).read().workers == 2)
            let wide = Data([0xFF, 0xFE] + "workers: 2".utf8.flatMap { [$0, 0] })
            try wide.write(to: URL(fileURLWithPath: file.string))
            let error = #expect(throws: DaemonError.self) { try SettingsSources(file: file).read() }
            #expect(error?.description.contains("UTF-16 text; save it as UTF-8") == true)
            #expect(try ImageSettings().applied("\u{FEFF}scale: 2").restoration.scale == 2)
        }
    }

    @Test func `that would take hours to parse, or fill the log, are refused in a sentence`() throws {
        var bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        for level in 1...11 {
            bomb +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
        }
        bomb += "? *a11\n: 1\n"
        #expect(throws: SettingsError.self) { try ImageSettings().applied(bomb) }
        for yaml in [
            bomb, "workers: " + String(repeating: "x", count: 65_000), String(repeating: "x", count: 65_000) + ": 1",
        ] {
            let error = #expect(throws: DaemonError.self) { try DaemonSettings(yaml: yaml, source: "x") }
            #expect(error.map { $0.description.utf8.count < 2000 } == true)
        }
    }

    @Test func `take an empty variable for null`() throws {
        let file = FilePath("/nowhere")
        var sources = SettingsSources(flags: ["threads": "3"], environment: ["DKP_THREADS": "2"])
        sources.flags["threads"] = ""
        #expect(try sources.read().threads == nil)
        sources = SettingsSources(environment: ["DKP_WORKERS": ""])
        #expect(throws: DaemonError.self) { try sources.read() }
        sources = SettingsSources(file: file)
        #expect(throws: DaemonError.self) { try sources.read() }
    }

    @Test func `that change at the start only stay when others are replaced`() {
        let live = LiveSettings(DaemonSettings())
        var new = DaemonSettings()
        new.stateDirectory = "/elsewhere"
        new.workers = 7
        #expect(live.replace(with: new) == [.stateDirectory])
        #expect(live.current.workers == 7)
        #expect(live.current.stateDirectory == DaemonSettings().stateDirectory)
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
            #expect(!isFine && error.exitStatus == .badSettings)
            #expect(error.description.contains("workers is \(workers)") && error.description.contains("8 processors"))
        }
    }
}

extension ImageSettings {
    /// These settings with those of a side file over them.
    fileprivate func applied(_ yaml: String) throws -> ImageSettings {
        var copy = self
        try copy.apply(Array(yaml.utf8), source: "x.yaml")
        return copy
    }
}
