import ArgumentParser
import Daemon
import Failures
import Files
import Foundation
import Jobs
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
        guard let log = try Self.open(path) else {
            // Between two looks the job may have moved on.
            if try files.status(found.path) == nil { return try run() }
            throw RestorationError(.noInput, "\(path.string): there is no log yet", remedy: "the job has not begun")
        }
        var text = PrintableStream()
        var position = 0
        // The file is held open: it stays the same file when the job's directory is moved or removed.
        while true {
            let isOver = try found.place != .jobs || files.status(found.path) == nil
            // One that had grown too long was cut to half: what is new stands behind that.
            let size = try log.currentSize()
            if position > size { position = min(size, BoundedLog.most / 2) }
            while case let bytes = try log.read(from: position, count: 1 << 16), !bytes.isEmpty {
                position += bytes.count
                guard Terminal.output(text.take(bytes)) else { return }
            }
            if isOver || !follow {
                Terminal.output(text.finish())
                return
            }
            Thread.sleep(forTimeInterval: 0.2)
        }
    }

    /// Opens a log; nil if there is none.
    private static func open(_ path: FilePath) throws(FileError) -> RegularFile? {
        do throws(FileError) {
            return try RegularFile(path, followingLinks: false)
        } catch {
            if error.isMissing { return nil }
            throw error
        }
    }
}
