import Checkpointing
import Daemon
import Files
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Small pictures for the real worker, and what a run that nobody disturbs makes of them.
enum RealWork {
    /// Steps enough to be interrupted often, in the time of a test.
    static let steps = 150

    /// The daemon's settings for them.
    static let settings = """
        restoration:
          method: dip-dkp
          steps: \(steps)
          scale: 2
          precision: f32
          threads: 1
          checkpoint_interval: 0.2
        """

    /// Paints a small picture as `root/NAME.png` and moves a copy of it into the inbox.
    static func paint(_ root: FilePath, _ name: String, seed: Int? = nil, into state: FilePath) throws {
        let path = root.appending(name + ".png")
        let end = try Programs.run(
            "dkp", ["sample-scene", path.string, "--size", "32x32", "--seed", "\(seed ?? name.count)"])
        try #require(end.status == 0, "\(end.errors)")
        let bytes = try LocalFileSystem().read(path, limit: 1 << 20)
        try move(bytes, name + ".png", root, state.appending("inbox"))
    }

    /// Writes a file beside the inbox and renames it into there.
    static func move(_ bytes: [UInt8], _ name: String, _ root: FilePath, _ inbox: FilePath) throws {
        let temporary = root.appending("moving")
        try LocalFileSystem().write(bytes, to: temporary)
        try LocalFileSystem().rename(temporary, to: inbox.appending(name))
    }

    /// What differs between a result and what `dkp restore` makes of `root/NAME.png` with the same settings in one go;
    /// empty where every byte is the same.
    static func differences(_ result: FilePath, _ name: String, _ root: FilePath) throws -> [String] {
        let whole = root.appending(name + "-in-one-go")
        let end = try Programs.run(
            "dkp",
            [
                "restore", root.appending(name + ".png").string, "--output", whole.string, "--steps", "\(steps)",
                "--scale", "2", "--precision", "f32", "--threads", "1",
                "--method", "dip-dkp",
            ])
        try #require(end.status == 0, "\(end.errors)")
        let images = try [result, whole].map {
            try LocalFileSystem().read($0.appending("restored.png"), limit: 1 << 20)
        }
        let datasets = try [result, whole].map {
            try SnapshotFile.read(from: $0.appending("result.h5").string, format: "dkp-result").datasets
        }
        try #require(datasets[1].count > 3)
        var differences = images[0] == images[1] ? [] : ["\(name)/restored.png"]
        for path in Set(datasets[0].keys).union(datasets[1].keys).sorted()
        where datasets[0][path] != datasets[1][path] {
            differences.append("\(name)/result.h5: \(path)")
        }
        return differences
    }

    /// The newest checkpoint of any job.
    static func checkpoint(_ daemon: DaemonProcess) -> String? {
        daemon.list("jobs").flatMap { job in
            daemon.list("jobs/\(job)").filter { $0.hasPrefix("checkpoint-") && $0.hasSuffix(".h5") }.map {
                "\(job)/\($0)"
            }
        }.max()
    }

    /// The processes at work on any job, as their progress tells.
    static func workers(_ daemon: DaemonProcess) -> [pid_t] {
        struct Progress: Decodable { var pid: pid_t }
        return daemon.list("jobs").compactMap { job in
            let path = daemon.state.appending("jobs").appending(job).appending("progress.json")
            guard let text = try? text(path) else { return nil }
            return try? JSONDecoder().decode(Progress.self, from: Data(text.utf8)).pid
        }
    }
}
