package import Failures

/// What the end of a worker means for its job, by the exit codes of `dkp`.
package enum WorkerVerdict: Sendable, Equatable {
    /// The result is there.
    case finished
    /// It cannot be done, ever: bad input or settings.
    case refused(code: String, message: String)
    /// It was asked to stop and has written its checkpoint: go on later.
    case stopped
    /// Another worker has the job, or the disk is full: nothing is wrong with the job, try again later.
    case postponed(String)
    /// It failed in a way that may not come again.
    case failed(String)

    /// - Parameters:
    ///   - end: how the worker ended.
    ///   - failure: what it wrote down about it.
    ///   - message: the last that it said, if it wrote nothing down.
    package init(_ end: WorkerEnd, failure: FailureReport?, message: String?) {
        let said = failure?.description ?? message
        guard case .exited(let number) = end else {
            // A worker of an earlier daemon. What it wrote down is all there is; without that it was killed, or has
            // finished, which the directory tells.
            if case .unobserved = end {
                self =
                    failure?.exitCode.map { WorkerVerdict(.exited($0), failure: failure, message: message) } ?? .stopped
            } else {
                self = .failed(said.map { "\(end): \($0)" } ?? "\(end)")
            }
            return
        }
        self =
            switch ExitStatus(rawValue: number) {
            case .success: .finished
            case .badInput: .refused(code: failure?.code ?? "bad_input", message: said ?? "the input is not usable")
            case .noInput: .refused(code: failure?.code ?? "no_input", message: said ?? "the input is not there")
            case .badSettings:
                .refused(code: failure?.code ?? "bad_settings", message: said ?? "the settings are not usable")
            // Nothing that another try would bring: somebody has to put the file there.
            case .unavailable where failure?.code == "weights_not_found":
                .refused(code: "weights_not_found", message: said ?? "the weights are not there")
            case .interrupted: .stopped
            // "no_space", "checkpoint_no_space".
            case _ where failure?.code.hasSuffix("no_space") == true: .postponed(said ?? "\(end)")
            case .superseded: .postponed(said ?? "another worker has taken the job over")
            // A worker writes down every failure of its own but that the job was not free; or it could write nothing.
            case .inputOutput where failure == nil: .postponed(said ?? "\(end)")
            default: .failed(said.map { "\(end): \($0)" } ?? "\(end)")
            }
    }
}
