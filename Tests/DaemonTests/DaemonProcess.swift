import Foundation
import Glibc
import SystemPackage
import Testing

/// The programs of this package, as the build made them.
enum Programs {
    /// The path of a program beside the running test program.
    static func path(_ name: String) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
        try #require(FileManager.default.isExecutableFile(atPath: path), "no \(path): build it first")
        return path
    }

    /// What a program writes to standard output.
    static func output(_ name: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try path(name))
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }

    /// Runs a program to its end and returns its exit status and what it wrote to standard error.
    static func run(_ name: String, _ arguments: [String]) throws -> (status: Int32, errors: String) {
        let end = try capture(name, arguments)
        return (end.status, end.errors)
    }

    /// The same, without keeping one of the few threads on which all tests wait.
    static func captureAside(
        _ name: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String, errors: String) {
        try await withCheckedThrowingContinuation { continuation in
            Thread {
                continuation.resume(with: Result { try capture(name, arguments, environment: environment) })
            }.start()
        }
    }

    /// Runs a program to its end and returns its exit status and what it wrote, which must be little.
    static func capture(
        _ name: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try path(name))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardError = errors
        process.standardOutput = output
        try process.run()
        let outputText = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let errorText = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, outputText, errorText)
    }
}

/// A real dkpd on a state folder of its own.
final class DaemonProcess {
    /// Where everything of this test is.
    let root: FilePath
    /// The state folder.
    let state: FilePath
    private let process = Process()
    private var watchesBefore = 0

    /// Starts a daemon in `root/state` with quick settings.
    /// - Parameters:
    ///   - worker: nil for the real one.
    ///   - user: whose process it is to be, for root to say.
    ///   - launcher: a command that starts it, as `setpriv` does; none if empty.
    init(
        _ root: FilePath, worker: FilePath?, settings: String = "", user: String? = nil, launcher: [String] = []
    ) throws {
        self.root = root
        state = root.appending("state")
        let configuration = root.appending("dkpd.yaml")
        try drop(
            """
            \(settings.contains("settle_time:") ? "" : "settle_time: 0.2")
            \(settings.contains("rescan_interval:") ? "" : "rescan_interval: 0.5")
            retry_delay: 0.1
            \(worker.map { "worker: \($0)" } ?? "")
            \(settings)
            """, configuration)
        let launcher = launcher + (user.map { ["/usr/bin/setpriv", "--reuid", $0, "--clear-groups"] } ?? [])
        let command =
            try launcher + [Programs.path("dkpd"), "--config", configuration.string, "--state-dir", state.string]
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let log = root.appending("dkpd.log").string
        if !FileManager.default.fileExists(atPath: log) { try drop("", FilePath(log)) }
        let handle = try #require(FileHandle(forWritingAtPath: log))
        try handle.seekToEnd()
        watchesBefore = self.log.components(separatedBy: "watching inbox").count
        process.standardError = handle
        process.standardOutput = FileHandle.nullDevice
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// What all daemons of this test have logged.
    var log: String { (try? text(root.appending("dkpd.log"))) ?? "" }

    /// The end of that, where it is too long to look at as a whole.
    var lastWords: String {
        guard let file = FileHandle(forReadingAtPath: root.appending("dkpd.log").string),
            let size = try? file.seekToEnd(), (try? file.seek(toOffset: size - min(size, 3000))) != nil,
            let bytes = try? file.readToEnd()
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The names in one of its folders, none if it is not there yet.
    func list(_ folder: String) -> [String] { (try? names(state.appending(folder))) ?? [] }

    /// Waits until the inbox is watched.
    func waitUntilReady() async throws {
        let id = process.processIdentifier
        try await wait(for: "the daemon to be ready; its log: \(log)") {
            guard process.isRunning else {
                Issue.record("the daemon ended: \(log)")
                throw Timeout()
            }
            return log.components(separatedBy: "watching inbox").count > watchesBefore
                && (try? text(state.appending("dkpd.lock"))) == "\(id)\n"
        }
    }

    /// Whether it has taken SIGTERM over: before, while it is loaded, the signal ends it as it ends any program.
    private var hearsSignals: Bool {
        guard let status = try? text(FilePath("/proc/\(process.processIdentifier)/status")),
            let caught = status.firstMatch(of: /SigCgt:\s*([0-9a-f]+)/), let mask = UInt64(caught.1, radix: 16)
        else { return false }
        return mask >> UInt64(SIGTERM - 1) & 1 == 1
    }

    /// Asks it to stop, and returns its exit status and how long it took.
    func stop() async throws -> (status: Int32, duration: Duration) {
        try await wait(for: "the daemon to hear signals; its log: \(log)") { hearsSignals || !process.isRunning }
        let start = ContinuousClock.now
        kill(process.processIdentifier, SIGTERM)
        try await wait(for: "the daemon to stop; its log: \(log)") { !process.isRunning }
        if process.terminationStatus != 0 {
            Issue.record("the daemon ended badly, with \(process.terminationStatus): \(lastWords)")
        }
        return (process.terminationStatus, ContinuousClock.now - start)
    }

    /// Whether it has not ended.
    var isRunning: Bool { process.isRunning }

    /// Asks it to read its settings again.
    func hangUp() { kill(process.processIdentifier, SIGHUP) }

    /// Stops it as ^Z does, its workers not.
    func pause() { kill(process.processIdentifier, SIGSTOP) }

    /// Makes it go on.
    func goOn() { kill(process.processIdentifier, SIGCONT) }

    /// Kills it as kill -9 does, leaving its workers alone.
    func killAtOnce() async throws {
        kill(process.processIdentifier, SIGKILL)
        try await wait(for: "the daemon to die") { !process.isRunning }
    }
}

/// A worker that keeps the contract of `dkp work` and does as its input says, for the tests of scheduling alone.
enum FakeWorker {
    /// Writes the program and returns its path.
    static func make(in root: FilePath) throws -> FilePath {
        let path = root.appending("fake-worker")
        try drop(script, path)
        #expect(chmod(path.string, 0o755) == 0)
        return path
    }

    /// Each run takes the job's lock, or exits 74. The input's first word says what to do:
    /// ok; slow (20 checkpoints, 50 ms apart); long (200 of them); bad (exit 65); settings (78); broken (70); flaky (70 twice, then ok);
    /// stubborn (hears no SIGTERM); endless; large (a result of 1 MB, 74 where there is no room for it); empty (0 without a result); killed (by a signal, without getting on).
    private static let script = """
        #!/bin/bash
        [ "$1" = work ] || exit 64
        cd "$2" || exit 66
        exec 9>>lock
        flock -n 9 || { echo busy >> busy.log; exit 74; }
        : > error.json; rm error.json
        finish() {
            mkdir -p .result && cp input.png .result/restored.png && echo '{}' > .result/report.json \
                && mv -T .result result && exit 0
            exit 74
        }
        trap 'echo stopped; exit 75' TERM
        read -r what rest < input.png
        echo "run of $what with $OMP_NUM_THREADS threads"
        case "$what" in
        ok) finish ;;
        slow|long)
            [ "$what" = slow ] && count=20 || count=200
            last=$(ls checkpoint-*.h5 2>/dev/null | sed 's/checkpoint-0*//; s/[.]h5//' | sort -n | tail -1)
            for ((step = last + 1; step <= count; step++)); do
                sleep 0.05 9>&- & wait $!
                : > "checkpoint-$(printf %08d $step).h5"
            done
            finish ;;
        bad)
            echo '{"code": "not_an_image", "message": "no PNG signature", "exit_code": 65}' > error.json
            exit 65 ;;
        settings) echo "no such thing"; exit 78 ;;
        broken) echo "it broke"; exit 70 ;;
        flaky)
            echo x >> tries
            [ "$(wc -l < tries)" -ge 3 ] || { echo "not yet"; exit 70; }
            finish ;;
        stubborn)
            trap '' TERM
            for ((i = 0; i < 600; i++)); do sleep 0.1 9>&-; done ;;
        endless) while :; do sleep 0.05 9>&- & wait $!; done ;;
        large)
            mkdir -p .result && head -c 1000000 /dev/zero > .result/restored.png 2>/dev/null && echo '{}' > .result/report.json \
                && mv -T .result result && exit 0
            rm -rf .result
            echo "no space left"
            exit 74 ;;
        empty) exit 0 ;;
        killed) kill -KILL $$ ;;
        esac
        exit 64
        """
}
