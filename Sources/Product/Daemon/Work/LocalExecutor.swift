import CLinux
import Files
import Glibc
import Subprocess
import Synchronization
package import SystemPackage

/// Runs workers as processes of this machine: `dkp work JOBDIR --lease N`, each in a process group of its own.
package final class LocalExecutor: Executor {
    /// What a worker may take of the machine.
    package struct Limits: Sendable, Equatable {
        /// Bytes of memory; nil for no limit.
        package var memory: Int?
        /// How much more than the daemon it gives way to other programs, 0 to 19.
        package var niceness = 0

        package init(memory: Int? = nil, niceness: Int = 0) {
            self.memory = memory
            self.niceness = niceness
        }
    }

    /// Stopping and going on costs a second, and so nothing is left to a process that nobody has seen answer.
    package let keepsEarlierRuns = false

    private let program: FilePath
    private let stopTime: Duration
    private let limits: Limits
    private let threads: (any TaskExecutor)?
    private let inputLimits: @Sendable () -> InputLimits
    /// The runs that this executor watches.
    private let watched = Mutex<[WorkerHandle: WatchedRun]>([:])
    /// How long a worker that was killed may take to be gone. One that hangs in the kernel (a stuck disk) is left behind
    /// then: without its lease it can do no harm.
    private static let deathTime = Duration.seconds(2)

    /// - Parameters:
    ///   - program: the path of `dkp`.
    ///   - stopTime: how long a worker that was asked to stop may take before it is killed.
    ///   - limits: what each worker may take.
    ///   - threads: what the watch over a worker runs on; nil for the threads that all tasks share.
    ///   - inputLimits: the largest input that a worker decodes, asked at each start.
    package init(
        program: FilePath, stopTime: Duration, limits: Limits = Limits(), threads: (any TaskExecutor)? = nil,
        inputLimits: @escaping @Sendable () -> InputLimits = { InputLimits() }
    ) {
        self.program = program
        self.stopTime = stopTime
        self.limits = limits
        self.threads = threads
        self.inputLimits = inputLimits
    }

    package func start(_ run: WorkerRun) async throws {
        let (output, words) = try WorkerOutput.open(run.directory.appending(JobFiles.log))
        let (starts, started) = AsyncThrowingStream<Void, any Error>.makeStream()
        let watching = WatchedRun(on: threads) {
            do {
                let end = try await self.spawn(run, words) { started.yield() }
                await output.finish()
                started.finish()
                return end
            } catch {
                await output.finish()
                started.finish(throwing: error)
                throw error
            }
        }
        watched.withLock { $0[run.handle] = watching }
        do {
            for try await _ in starts { break }
        } catch {
            watched.withLock { $0[run.handle] = nil }
            throw error
        }
    }

    package func poll(_ run: WorkerRun) async throws -> WorkerState { watching(of: run) == nil ? .unknown : .running }

    package func cancel(_ run: WorkerRun) async {
        watching(of: run)?.cancel(leavingAfter: stopTime + Self.deathTime)
    }

    package func end(of run: WorkerRun) async throws -> WorkerEnd {
        guard let watching = watching(of: run) else { return .unobserved }
        defer { watched.withLock { $0[run.handle] = nil } }
        return try await watching.end
    }

    /// Runs a worker to its end.
    private func spawn(
        _ run: WorkerRun, _ output: FileDescriptor, _ onStart: @escaping @Sendable () -> Void
    ) async throws -> WorkerEnd {
        var options = PlatformOptions()
        options.processGroupID = 0
        // One that is stopped hears of it when it is made to go on.
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .zero),
            .send(signal: .resume, toProcessGroup: true, allowedDurationToNextStep: stopTime),
        ]
        let threads = String(run.threads)
        // The worker must not speak for the daemon to the service manager.
        let environment = Environment.inherit.updating([
            "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "NOTIFY_SOCKET": nil, "WATCHDOG_PID": nil,
            "WATCHDOG_USEC": nil,
        ]).updating(inputLimits().variables)
        let arguments = ["work", run.directory.string, "--lease", String(run.handle.lease)]
        do {
            let result = try await Subprocess.run(
                .path(program), arguments: Arguments(arguments), environment: environment, platformOptions: options,
                input: .none, output: .fileDescriptor(output, closeAfterSpawningProcess: true),
                error: .combinedWithOutput
            ) { execution in
                self.limit(execution.processIdentifier.value)
                onStart()
            }
            switch result.terminationStatus {
            case .exited(let status): return .exited(status)
            case .signaled(let signal): return .killed(signal: signal)
            }
        } catch let error as SubprocessError {
            throw DaemonError(.worker, "\(program.readable): cannot be run: \(error); check the setting \"worker\"")
        }
    }

    /// Applies the limits to a worker that has just been started and has taken next to nothing yet. It is our child, so
    /// its number is its own until we have waited for it; one that has ended already needs no limit.
    private func limit(_ process: pid_t) {
        if let memory = limits.memory { _ = dkp_limit_memory(process, UInt64(memory)) }
        if limits.niceness > 0 { _ = dkp_add_niceness(process, Int32(limits.niceness)) }
    }

    /// The watch over a run: over one that an earlier daemon started, from now on.
    private func watching(of run: WorkerRun) -> WatchedRun? {
        watched.withLock { watched in
            if let watching = watched[run.handle] { return watching }
            guard let process = RunningProcess(of: run) else { return nil }
            let watching = WatchedRun(on: threads) { [stopTime] in
                await process.watch(stopTime: stopTime)
                return .unobserved
            }
            watched[run.handle] = watching
            return watching
        }
    }
}

/// The watch over one run, which outlives the call that starts it.
private final class WatchedRun: Sendable {
    private let task: Task<Void, Never>
    private let ends: AsyncThrowingStream<WorkerEnd, any Error>
    private let ended: AsyncThrowingStream<WorkerEnd, any Error>.Continuation

    /// - Parameters:
    ///   - threads: what the watch runs on; nil for the threads that all tasks share.
    ///   - watch: returns when the run is over; cancelled, it ends the run first.
    init(on threads: (any TaskExecutor)?, _ watch: @escaping @Sendable () async throws -> WorkerEnd) {
        let (ends, ended) = AsyncThrowingStream<WorkerEnd, any Error>.makeStream()
        (self.ends, self.ended) = (ends, ended)
        task = Task(executorPreference: threads) {
            do {
                ended.yield(try await watch())
                ended.finish()
            } catch {
                ended.finish(throwing: error)
            }
        }
    }

    /// Ends the run.
    /// - Parameter time: after so long a run that is still not over counts as ended, and is left behind.
    func cancel(leavingAfter time: Duration) {
        task.cancel()
        Task { [ended] in
            try? await Task.sleep(for: time)
            ended.yield(.unobserved)
            ended.finish()
        }
    }

    /// How the run ended, once it has; also where the waiting task is cancelled. For one caller.
    var end: WorkerEnd {
        get async throws {
            // In a task of its own: a cancelled task hears nothing more of a stream.
            try await Task { [ends] in
                for try await end in ends { return end }
                return .unobserved
            }.value
        }
    }
}

/// A worker that is not a child of this process.
private final class RunningProcess: Sendable {
    private let descriptor: CInt

    /// Finds the process of a run by its command line.
    init?(of run: WorkerRun) {
        let arguments = ["work", run.directory.string, "--lease", String(run.handle.lease)]
        guard let stream = opendir("/proc") else { return nil }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let process = pid_t(name), process != getpid(), Self.arguments(of: name).suffix(4) == arguments[...]
            else { continue }
            // The number may have come to mean another process in between: asked again with the descriptor in hand.
            let descriptor = dkp_process_descriptor(process)
            guard descriptor >= 0 else { continue }
            if Self.arguments(of: name).suffix(4) == arguments[...], dkp_process_has_ended(descriptor) == 0 {
                self.descriptor = descriptor
                return
            }
            close(descriptor)
        }
        return nil
    }

    deinit { close(descriptor) }

    /// Returns when the process has ended. When the task is cancelled the process is asked to stop, and killed if it
    /// does not in time. One that even that does not end (it hangs in the kernel) is left behind: without its lease it
    /// can do no harm.
    func watch(stopTime: Duration) async {
        var deadline: ContinuousClock.Instant?
        while dkp_process_has_ended(descriptor) == 0 {
            if Task.isCancelled {
                if let deadline, ContinuousClock.now >= deadline {
                    _ = dkp_signal_process(descriptor, SIGKILL)
                    if ContinuousClock.now >= deadline + .seconds(2) { return }
                } else if deadline == nil {
                    _ = dkp_signal_process(descriptor, SIGTERM)
                    // One that is stopped hears of it when it is made to go on.
                    _ = dkp_signal_process(descriptor, SIGCONT)
                    deadline = .now + stopTime
                }
            }
            // In a task of its own, as this one's cancellation must not end the waiting.
            await Task { try? await Task.sleep(for: .milliseconds(50)) }.value
        }
    }

    private static func arguments(of process: String) -> [String] {
        let path = FilePath("/proc/\(process)/cmdline")
        let bytes = (try? LocalFileSystem().read(path, limit: 1 << 16)) ?? []
        return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}
