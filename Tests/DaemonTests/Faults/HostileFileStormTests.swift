import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Files that nobody wrote for a daemon, in great numbers, in front of a running one.
@Suite(.serialized, .tags(.slow), .timeLimit(.minutes(60))) struct `Hostile files in front of a running daemon` {
    @Test func `however mutated neither end it nor hold it up, and cost no image`() async throws {
        let count = Soak.count(200, full: 10_000)
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            let monitor = try LivenessMonitor(root.appending("notify").string)
            let daemon = try DaemonProcess(
                root, worker: StrangeWorker.make(in: root), settings: "workers: 2\nattempts: 1",
                launcher: monitor.environment)
            try await daemon.waitUntilReady()
            let configuration = root.appending("dkpd.yaml")
            let settings = try text(configuration)
            let holiday = folder.inbox.appending("holiday")
            try LocalFileSystem().makeDirectory(holiday)
            try drop("scale: 2", holiday.appending("dkp.yaml"))

            var random = SplitMix(state: Soak.seed &+ 20)
            for index in 0..<count {
                let name = "image\(index).png"
                switch index % 8 {
                case 0..<3:  // Settings beside an image.
                    try drop(Mutation.yaml(&random), folder.inbox.appending(name + ".yaml"))
                    try drop("ok", folder.inbox.appending(name))
                case 3:  // Settings of a folder.
                    try drop(Mutation.yaml(&random), holiday.appending("dkp.yaml"))
                    try drop("ok", holiday.appending(name))
                case 4:  // The daemon's own; what they turn off or move would be no fault of the daemon.
                    try drop(Mutation.bytes(of: Array(settings.utf8), &random), configuration)
                    try drop("ok", folder.inbox.appending(name))
                    try await Task.sleep(for: .milliseconds(20))
                    try drop(settings, configuration)
                case 5:  // What a worker tells while it works.
                    let told = Mutation.json(&random)
                    try drop(Array("progress\n".utf8) + told, folder.inbox.appending(name))
                case 6:  // Why it failed.
                    try drop(Array("error\n".utf8) + Mutation.json(&random), folder.inbox.appending(name))
                default:  // What it made.
                    try drop(Array("report\n".utf8) + Mutation.json(&random), folder.inbox.appending(name))
                }
                while daemon.list("inbox").count > 200 { try await Task.sleep(for: .milliseconds(50)) }
                guard daemon.isRunning else { break }
            }
            try drop("scale: 2", holiday.appending("dkp.yaml"))
            try await wait(for: "every image's end: \(daemon.lastWords)", limit: .seconds(3000)) {
                !daemon.isRunning
                    || daemon.list("outbox").count + daemon.list("rejected").count >= count
                        && daemon.list("jobs").isEmpty
            }
            #expect(daemon.isRunning, "it ended: \(daemon.lastWords)")
            for words in [["status"], ["status", "--json"]] {
                let end = try await Programs.captureAside("dkp", words + ["--state-dir", folder.root.string])
                #expect(end.status == 0, "\(end.errors)")
            }
            let silence = monitor.end()
            // Only at length do these tests have the machine to themselves.
            #expect(silence < (Soak.isFull ? 1000 : 30_000), "\(silence) ms without a sign of life")
            let ended = daemon.list("outbox").count + daemon.list("rejected").count
            #expect(ended == count)
            #expect(try await daemon.stop().status == 0)
            Soak.report(
                "mutated files",
                [
                    "files": count, "exits": 0, "images lost": count - ended, "done": daemon.list("outbox").count,
                    "ms of silence at most": silence,
                ])
        }
    }

    @Test func `of every odd kind cost no image, through kills of the daemon`() async throws {
        let rounds = Soak.count(3, full: 60)
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let folder = StateFolder(root.appending("state"))
            try folder.create(LocalFileSystem())
            let worker = try FakeWorker.make(in: root)
            var random = SplitMix(state: Soak.seed &+ 21)
            var (images, things) = (0, 0)
            for round in 0..<rounds {
                let daemon = try DaemonProcess(root, worker: worker, settings: "workers: 2\nattempts: 100")
                for _ in 0..<8 {
                    images += 1
                    try drop(
                        ["ok", "slow"].randomElement(using: &random) ?? "ok",
                        folder.inbox.appending("image\(images).png"))
                    things += Self.litter(folder, "\(round)-\(things)", &random)
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0...150, using: &random)))
                }
                try await daemon.killAtOnce()
            }
            let daemon = try DaemonProcess(root, worker: worker, settings: "workers: 2\nattempts: 100")
            let expected = Set((1...images).map { "image\($0)" })
            try await wait(for: "\(images) images: \(daemon.lastWords)", limit: .seconds(3000)) {
                expected.isSubset(of: daemon.list("outbox"))
            }
            let found = daemon.list("outbox").filter { $0.hasPrefix("image") }
            #expect(found.count == images)
            #expect(try await daemon.stop().status == 0)
            Soak.report(
                "odd entries",
                [
                    "FIFOs, sockets, links and folders": things, "kills": rounds, "images": images, "lost": 0,
                    "twice": found.count - images,
                ])
        }
    }

    /// Leaves odd things where they can be left without taking a name from an image, also in a job that is being done.
    /// - Returns: how many.
    private static func litter(_ folder: StateFolder, _ name: String, _ random: inout SplitMix) -> Int {
        let jobs = (try? names(folder.jobs))?.filter { !$0.hasPrefix(".") } ?? []
        var places = [
            folder.inbox.appending("odd-\(name).png"), folder.jobs.appending("odd-\(name)"),
            folder.outbox.appending("odd-\(name)"), folder.rejected.appending("odd-\(name)"),
            folder.root.appending("odd-\(name)"),
        ]
        if let job = jobs.randomElement(using: &random) {
            let odd = ["daemon.json.tmp", "progress.json.tmp", "cancel", "odd", "checkpoint-99999999.h5.tmp"]
            places += odd.map { folder.jobs.appending(job).appending($0) }
        }
        return places.count { place in
            // A job may be gone by now, or have a thing of that name.
            guard let kind = OddKind.allCases.randomElement(using: &random) else { return false }
            return (try? kind.make(place)) != nil
        }
    }
}

/// Texts made of others by chance.
enum Mutation {
    private static let yamlSeeds = [
        "# settings\nscale: 4\nseed: 7 # odd\nnoise: auto\n", "scale: 2\nsteps: 10\npriority: 3\n",
        #"{"scale": 4, "steps": null, "list": [1, "two", {"three": 3}]}"#,
        "%YAML 1.1\n---\nscale: 2\n'seed': \"3\"\n...\n", "a0: &a0 [x,x]\na1: &a1 [*a0,*a0]\n? *a1\n: !!int 1\n",
    ]
    private static let jsonSeeds = [
        #"{"step": 3, "total": 20, "loss": 0.5, "rate": 2.5, "eta": 9.0, "phase": "SSIM", "pid": 1, "updated": "2026-01-01T00:00:00Z"}"#,
        #"{"code": "not_an_image", "message": "no PNG signature", "exit_code": 65}"#,
        #"{"format": "dkp-report", "job_id": "20260101-000000-001", "original_name": "cat.png", "finished": "2026-01-01T00:00:00Z", "psnr": 30.1, "seconds": 1.5}"#,
    ]
    private static let pieces = [
        "\n", " ", "\t", "- ", ": ", "#", "&a ", "*a", "!", "|", "'", "\"", "\\", "[", "]", "{", "}", ",", "---\n", "é",
        "~",
        "null", "\u{FEFF}", "\u{0}", "-9223372036854775808", "1e999", "9e18", "NaN", "\\u0000", "\\ud800", "\u{1B}]0;x",
        String(repeating: "[", count: 5000), String(repeating: "{\"a\":", count: 2000),
        String(repeating: "9", count: 400),
    ]

    static func yaml(_ random: inout SplitMix) -> [UInt8] { mutated(yamlSeeds, &random) }
    static func json(_ random: inout SplitMix) -> [UInt8] { mutated(jsonSeeds, &random) }

    private static func mutated(_ seeds: [String], _ random: inout SplitMix) -> [UInt8] {
        bytes(of: Array((seeds.randomElement(using: &random) ?? "").utf8), &random)
    }

    static func bytes(of seed: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        var bytes = seed
        for _ in 0...Int.random(in: 0...6, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 1...8, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
            case 2 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
            default: bytes.insert(contentsOf: (pieces.randomElement(using: &random) ?? "").utf8, at: place)
            }
        }
        return bytes
    }
}

/// A worker that keeps to the contract but for one file, which its input gives it.
private enum StrangeWorker {
    static func make(in root: FilePath) throws -> FilePath {
        let path = root.appending("strange-worker")
        try drop(script, path)
        #expect(chmod(path.string, 0o755) == 0)
        return path
    }

    private static let script = """
        #!/bin/bash
        [ "$1" = work ] || exit 64
        cd "$2" || exit 66
        read -r what < input.png
        case "$what" in
        progress) tail -n +2 input.png > progress.json; tail -n +2 input.png > runs.json; sleep 0.05 ;;
        error) tail -n +2 input.png > error.json; exit 65 ;;
        esac
        mkdir -p .result && cp input.png .result/restored.png || exit 74
        if [ "$what" = report ]; then tail -n +2 input.png > .result/report.json
        else echo '{}' > .result/report.json; fi
        [ -s .result/report.json ] || echo '{}' > .result/report.json
        mv -T .result result
        """
}
