/// What the end of a worker means for its job, by the exit codes of `dkp`.
package enum WorkerVerdict: Sendable, Equatable {
    /// The result is there.
    case finished
    /// It cannot be done, ever: bad input or settings.
    case refused(code: String, message: String)
    /// It was asked to stop and has written its checkpoint: go on later.
    case stopped
    /// Another worker has the job, or the disk is full: nothing is wrong with the job, try again later.
    case hindered(String)
    /// It failed in a way that may not come again.
    case failed(String)

    /// - Parameters:
    ///   - end: how the worker ended.
    ///   - failure: what it wrote down about it.
    ///   - message: the last that it said, if it wrote nothing down.
    package init(_ end: WorkerEnd, failure: WorkerFailure?, message: String?) {
        let said = failure?.sentence ?? message
        self =
            switch end {
            case .exited(0): .finished
            case .exited(65): .refused(code: failure?.code ?? "bad_input", message: said ?? "the input is not usable")
            case .exited(66): .refused(code: failure?.code ?? "no_input", message: said ?? "the input is not there")
            case .exited(78):
                .refused(code: failure?.code ?? "bad_settings", message: said ?? "the settings are not usable")
            // Nothing that another try would bring: somebody has to put the file there.
            case .exited(69) where failure?.code == "weights_not_found":
                .refused(code: "weights_not_found", message: said ?? "the weights are not there")
            case .exited(75): .stopped
            // "no_space", "checkpoint_no_space".
            case .exited where failure?.code.hasSuffix("no_space") == true: .hindered(said ?? "\(end)")
            case .exited(77): .hindered(said ?? "another worker has taken the job over")
            // A worker writes down every failure of its own but that the job was not free; or it could write nothing.
            case .exited(74) where failure == nil: .hindered(said ?? "\(end)")
            // A worker of an earlier daemon. What it wrote down is all there is; without that it was killed, or has
            // finished, which the directory tells.
            case .unobserved:
                failure?.exitCode.map { WorkerVerdict(.exited($0), failure: failure, message: message) } ?? .stopped
            case .exited, .killed: .failed(said.map { "\(end): \($0)" } ?? "\(end)")
            }
    }
}

/// What a worker that failed writes down in its job as `error.json`.
package struct WorkerFailure: Sendable, Codable, Equatable {
    /// A word for programs.
    package var code: String
    /// A sentence for people.
    package var message: String
    /// What to do about it.
    package var remedy: String?
    /// The exit code that stands for it.
    package var exitCode: Int32?

    enum CodingKeys: String, CodingKey {
        case code, message, remedy
        case exitCode = "exit_code"
    }

    package init(code: String, message: String, remedy: String? = nil, exitCode: Int32? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.exitCode = exitCode
    }

    var sentence: String { remedy.map { "\(message); \($0)" } ?? message }
}
