import ArgumentParser
import Daemon
import Foundation
import Restoration
import SystemPackage

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Prints a job's log, wherever the job now is.")

    @Argument(help: jobHelp)
    var job: String
    @Flag(name: .shortAndLong, help: "Go on printing until the job is done.")
    var follow = false
    @OptionGroup
    var state: StateOptions

    func run() throws {
        let folder = try state.folder()
        let found = try JobFinder(folder).find(job)
        let path = found.path.appending(JobFiles.log)
        let files = LocalFileSystem()
        while follow, found.place == .jobs, try files.status(path) == nil, try files.status(found.path) != nil {
            Thread.sleep(forTimeInterval: 0.2)
        }
        guard let handle = FileHandle(forReadingAtPath: path.string) else {
            // Between two looks the job may have moved on.
            if try files.status(found.path) == nil { return try run() }
            throw RestorationError(.noInput, "\(path.string): there is no log yet", remedy: "the job has not begun")
        }
        var position: UInt64 = 0
        // The file is held open: it stays the same file when the job's directory is moved or removed.
        while true {
            let isOver = try found.place != .jobs || files.status(found.path) == nil
            // One that had grown too long was cut to half: what is new stands behind that.
            let size = try handle.seekToEnd()
            if position > size { position = min(size, UInt64(BoundedLog.most / 2)) }
            try handle.seek(toOffset: position)
            while let data = try handle.read(upToCount: 1 << 16), !data.isEmpty {
                position = try handle.offset()
                do { try FileHandle.standardOutput.write(contentsOf: data) } catch { return }
            }
            if isOver || !follow { return }
            Thread.sleep(forTimeInterval: 0.2)
        }
    }
}
