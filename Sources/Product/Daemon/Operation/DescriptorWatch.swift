import CLinux
import Files
import Glibc
import Synchronization
import SystemPackage

/// Waits, on a thread of its own, for a descriptor to have something to read.
///
/// Not by a dispatch source: on Linux the process ends by a trap within libdispatch where a source is cancelled at the very
/// moment at which the other end of its pipe goes, as happens with one in some thousand workers.
final class DescriptorWatch: Sendable {
    /// What the thread does; nothing else uses it once that runs.
    private final class Work: Sendable {
        let descriptor: CInt
        let wake: CInt
        let onReadable: @Sendable () -> Bool
        let onEnd: @Sendable () -> Void

        init(
            _ descriptor: CInt, wake: CInt, onReadable: @escaping @Sendable () -> Bool,
            onEnd: @escaping @Sendable () -> Void
        ) {
            self.descriptor = descriptor
            self.wake = wake
            self.onReadable = onReadable
            self.onEnd = onEnd
        }

        func run() {
            var waiting = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            ]
            while true {
                let count = poll(&waiting, nfds_t(waiting.count), -1)
                if count < 0 {
                    if Errno.last == .interrupted { continue }
                    break
                }
                // The other end of the pipe to wake it by was closed.
                if waiting[1].revents != 0 { break }
                if waiting[0].revents != 0, !onReadable() { break }
            }
            close(wake)
            onEnd()
        }
    }

    /// The end whose closing wakes the thread; nil when it is closed.
    private let waker: Mutex<CInt?>

    /// Begins to wait.
    /// - Parameters:
    ///   - descriptor: does not block; open until `onEnd`.
    ///   - onReadable: called on the thread when there is something, or the other end has gone; false ends the watch.
    ///   - onEnd: called on the thread, once, when it will not look at the descriptor any more.
    /// - Throws: where the system gives no thread or descriptor; neither is called then.
    init(
        _ descriptor: CInt, onReadable: @escaping @Sendable () -> Bool, onEnd: @escaping @Sendable () -> Void
    ) throws(Errno) {
        var ends: [CInt] = [-1, -1]
        guard dkp_pipe(&ends, 1) == 0 else { throw .last }
        let work = Work(descriptor, wake: ends[0], onReadable: onReadable, onEnd: onEnd)
        do throws(Errno) {
            try SystemThread.start("dkpd-watch") { work.run() }
        } catch {
            ends.forEach { _ = close($0) }
            throw error
        }
        waker = Mutex(ends[1])
    }

    deinit { end() }

    /// Ends the watch; `onEnd` follows soon.
    func end() {
        waker.withLock { waker in
            if let descriptor = waker.take() { close(descriptor) }
        }
    }
}
