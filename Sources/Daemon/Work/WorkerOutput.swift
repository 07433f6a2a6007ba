import CLinux
import Dispatch
import Files
import Glibc
import Jobs
import SystemPackage

/// What a worker prints, on its way into the job's log.
///
/// The worker writes into a pipe and never into the file, so that no worker can fill the disk: the file has one writer
/// for it, which keeps it short (see `BoundedLog`). The worker's end of the pipe does not block and is open for reading
/// too, which decides what happens where nobody empties the pipe:
///
/// - a worker that prints without end: the log is cut again and again as it comes, and what the pipe has no room for is
///   lost to the worker (`EAGAIN`);
/// - a full disk: what cannot be written into the log is dropped, and the pipe is emptied all the same;
/// - a daemon that is stopped (`SIGSTOP`): the pipe fills, a megabyte at most, and the worker computes on;
/// - a daemon that was killed: the worker itself is a reader, so that no `SIGPIPE` ends it.
///
/// A limit on the size of files (`RLIMIT_FSIZE`) would hold for checkpoints and results as well, and a worker that cuts its
/// own log would not cut what a library prints. What the worker says of its work itself goes into the file by its own
/// hand, bounded by the same rule.
final class WorkerOutput: Sendable {
    /// Only used on the queue.
    private let log: BoundedLog
    private let reader: CInt
    private let queue = DispatchQueue(label: "worker-output")
    /// Dispatch sources may be used from any thread; only the declaration does not say so.
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// How much the pipe may hold, in bytes, where the system lets it.
    private static let capacity = 1 << 20
    private static let chunk = 1 << 16

    /// Opens a job's log for what a worker will print.
    /// - Returns: the log's writer, and the worker's end of the pipe, which is the caller's to close.
    /// - Throws: `FileError` of the log or of the pipe.
    static func open(_ log: FilePath) throws -> (output: WorkerOutput, end: FileDescriptor) {
        let bounded = try BoundedLog(appendingTo: log.string)
        var ends: [CInt] = [-1, -1]
        guard dkp_pipe(&ends, CInt(capacity)) == 0 else { throw FileError.last("make a pipe for", log) }
        let end = dkp_open_both_ways(ends[1])
        let error = FileError.last("open a pipe for", log)
        close(ends[1])
        guard end >= 0 else {
            close(ends[0])
            throw error
        }
        return (WorkerOutput(bounded, reader: ends[0]), FileDescriptor(rawValue: end))
    }

    private init(_ log: consuming BoundedLog, reader: CInt) {
        self.log = log
        self.reader = reader
        let source = DispatchSource.makeReadSource(fileDescriptor: reader, queue: queue)
        self.source = source
        source.setEventHandler { [weak self] in self?.take() }
        // The descriptor belongs to the source, which closes it when it needs it no more.
        source.setCancelHandler { close(reader) }
        source.activate()
    }

    deinit { source.cancel() }

    /// Writes what is in the pipe now into the log: to be called when the worker is over. A process that it left behind is
    /// heard no more.
    func finish() async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                for _ in 0...(2 * Self.capacity / Self.chunk) where !source.isCancelled { if !take() { break } }
                source.cancel()
                continuation.resume()
            }
        }
    }

    /// Moves a piece from the pipe into the log.
    /// - Returns: whether there was one.
    @discardableResult
    private func take() -> Bool {
        var bytes = [UInt8](repeating: 0, count: Self.chunk)
        let count = read(reader, &bytes, bytes.count)
        guard count > 0 else {
            // The end: nobody can write any more, and there is nothing to wait for.
            if count == 0 { source.cancel() }
            return false
        }
        // A full disk: dropped.
        try? log.write(bytes[..<count])
        return true
    }
}
