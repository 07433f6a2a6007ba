import CLinux
import Files
import Glibc
import Jobs
import Synchronization
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
    /// Only used on the thread that empties the pipe.
    private final class Pipe: Sendable {
        let log: BoundedLog
        let reader: CInt

        init(_ log: consuming BoundedLog, reader: CInt) {
            self.log = log
            self.reader = reader
        }

        /// Moves a piece from the pipe into the log.
        /// - Returns: how many bytes; 0 at the end, when nobody can write any more, and a negative number where the pipe is
        ///   empty.
        func take() -> Int {
            var bytes = [UInt8](repeating: 0, count: WorkerOutput.chunk)
            let count = read(reader, &bytes, bytes.count)
            // A full disk: dropped.
            if count > 0 { try? log.write(bytes[..<count]) }
            // An error that stays would have the thread turn for ever.
            if count < 0, Errno.last != .wouldBlock, Errno.last != .interrupted { return 0 }
            return count
        }
    }

    private let watch: DescriptorWatch
    private let reading: Reading

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
        do {
            return (try WorkerOutput(bounded, reader: ends[0]), FileDescriptor(rawValue: end))
        } catch {
            close(ends[0])
            close(end)
            throw FileError(error, "read a pipe for", log)
        }
    }

    private init(_ log: consuming BoundedLog, reader: CInt) throws(Errno) {
        let pipe = Pipe(log, reader: reader)
        let reading = Reading()
        self.reading = reading
        watch = try DescriptorWatch(
            reader,
            onReadable: { pipe.take() != 0 },
            onEnd: {
                for _ in 0...(2 * Self.capacity / Self.chunk) { if pipe.take() <= 0 { break } }
                close(pipe.reader)
                reading.end()
            })
    }

    /// Writes what is in the pipe now into the log: to be called when the worker is over. A process that it left behind is
    /// heard no more.
    func finish() async {
        await withCheckedContinuation { continuation in
            reading.wait(continuation)
            watch.end()
        }
    }
}

/// Whether a pipe is still read, for its thread and for whoever waits for its end.
private final class Reading: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Void, Never>)
        case over
    }

    private let state = Mutex(State.open)

    func end() {
        let before = state.withLock { state in
            defer { state = .over }
            return state
        }
        if case .awaited(let continuation) = before { continuation.resume() }
    }

    /// Resumes when the pipe is read no more; for one caller.
    func wait(_ continuation: CheckedContinuation<Void, Never>) {
        let isOver = state.withLock { state in
            if case .over = state { return true }
            state = .awaited(continuation)
            return false
        }
        if isOver { continuation.resume() }
    }
}
