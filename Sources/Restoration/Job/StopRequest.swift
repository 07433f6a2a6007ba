import Foundation
import Synchronization

/// The wish that a worker checkpoint and stop, made from any thread or by a signal.
public final class StopRequest: Sendable {
    private let signalNumber = Atomic<Int32>(0)

    /// No wish yet.
    public init() {}

    /// Asks for the stop; later requests change nothing.
    public func request(signal: Int32 = SIGTERM) {
        _ = signalNumber.compareExchange(expected: 0, desired: signal, ordering: .relaxed)
    }

    /// Whether the stop was asked for.
    public var isRequested: Bool { signalNumber.load(ordering: .relaxed) != 0 }

    /// The signal's name, or nil if no stop was asked for.
    public var signalName: String? {
        switch signalNumber.load(ordering: .relaxed) {
        case 0: nil
        case SIGTERM: "SIGTERM"
        case SIGINT: "SIGINT"
        case let number: "signal \(number)"
        }
    }

    /// Turns SIGTERM and SIGINT into this request, for the whole process and for good. A second signal ends the process
    /// at once, with the same exit code: the last checkpoint stands.
    ///
    /// To be called from the main thread before there are others, which inherit the blocked signals.
    public func requestOnSignals() throws {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        let status = pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard status == 0 else {
            throw RestorationError(.internalError, "signals cannot be blocked: \(String(cString: strerror(status)))")
        }
        // A thread that waits for signals may do anything on receiving one; a signal handler may do next to nothing.
        let waiter = Thread {
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGTERM)
            sigaddset(&signals, SIGINT)
            while true {
                var number: Int32 = 0
                guard sigwait(&signals, &number) == 0 else { continue }
                if self.isRequested { _exit(ExitStatus.interrupted.rawValue) }
                self.request(signal: number)
            }
        }
        waiter.name = "signals"
        waiter.start()
    }
}
