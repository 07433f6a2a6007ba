import Failures
public import Foundation
import Synchronization

/// The request that a worker checkpoint and stop, made from any thread or by a signal.
public final class StopRequest: Sendable {
    private let signalNumber = Atomic<Int32>(0)

    /// Signals of less than this after the first are taken for the same request: a key held down, a terminal that says twice
    /// that it is gone.
    private static let patience = Duration.seconds(2)

    /// No request yet.
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
        case SIGHUP: "SIGHUP"
        case let number: "signal \(number)"
        }
    }

    /// Turns SIGTERM, SIGINT and SIGHUP into this request, for the whole process and for good. SIGHUP stays ignored where
    /// the process was started so, as by `nohup`.
    ///
    /// A second signal changes nothing: the checkpoint is on its way. A third or later one ends the process at once, with
    /// the same exit code, if it comes two seconds or more after the first: the last checkpoint that is complete stands.
    ///
    /// To be called from the main thread before there are others, which inherit the blocked signals.
    /// - Parameter tell: called, on a thread of its own, with what a second signal's sender should know.
    public func requestOnSignals(tell: @escaping @Sendable (String) -> Void = { _ in }) throws {
        let signals = Self.signals()
        let status = withUnsafePointer(to: signals) { pthread_sigmask(SIG_BLOCK, $0, nil) }
        guard status == 0 else {
            throw RestorationError(.internalError, "signals cannot be blocked: \(String(cString: strerror(status)))")
        }
        // A thread that waits for signals may do anything on receiving one; a signal handler may do next to nothing.
        let waiter = Thread {
            var received = 0
            var first = ContinuousClock.now
            while true {
                var number: Int32 = 0
                guard withUnsafePointer(to: signals, { sigwait($0, &number) }) == 0 else { continue }
                received += 1
                switch received {
                case 1:
                    first = .now
                    self.request(signal: number)
                case 2:
                    tell("stopping once the step is done and its checkpoint written; a further signal ends at once")
                default:
                    if .now - first >= Self.patience { _exit(ExitStatus.interrupted.rawValue) }
                }
            }
        }
        waiter.name = "signals"
        waiter.start()
    }

    private static func signals() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigaddset(&signals, SIGINT)
        var hangUp = sigaction()
        sigaction(SIGHUP, nil, &hangUp)
        let ignored = unsafeBitCast(SIG_IGN, to: Int.self)
        if unsafeBitCast(hangUp.__sigaction_handler.sa_handler, to: Int.self) != ignored { sigaddset(&signals, SIGHUP) }
        return signals
    }
}
