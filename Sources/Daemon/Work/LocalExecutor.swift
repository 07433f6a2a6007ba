import CLinux
import Glibc
import Subprocess
import Synchronization
import SystemPackage

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
    private let inputLimits: @Sendable () -> InputLimits
    /// The runs that this executor watches. A task each, because a run outlives the call that starts it; cancelling it
    /// ends the process.
    private let watched = Mutex<[WorkerHandle: Task<WorkerEnd, any Error>]>([:])

    /// - Parameters:
    ///   - program: the path of `dkp`.
    ///   - stopTime: how long a worker that was asked to stop may take before it is killed.
    ///   - limits: what each worker may take.
    ///   - inputLimits: the largest input that a worker decodes, asked at each start.
    package init(
        program: FilePath, stopTime: Duration, limits: Limits = Limits(),
        inputLimits: @escaping @Sendable () -> InputLimits = { InputLimits() }
    ) {
        self.program = program
        self.stopTime = stopTime
        self.limits = limits
        self.inputLimits = inputLimits
    }

    package func start(_ run: WorkerRun) async throws {
        let log = run.directory.appending(JobFiles.log)
        let output: FileDescriptor
        do {
            // The operator's umask applies; a link in its place is not followed.
            output = try FileDescriptor.open(
                log, .writeOnly, options: [.create, .append, .closeOnExec, .noFollow],
                permissions: FilePermissions(rawValue: 0o666))
        } catch {
            throw FileError(error as? Errno ?? .ioError, operation: "open", path: log)
        }
        let (starts, started) = AsyncThrowingStream<Void, any Error>.makeStream()
        let task = Task {
            do {
                let end = try await self.spawn(run, output) { started.yield() }
                started.finish()
                return end
            } catch {
                started.finish(throwing: error)
                throw error
            }
        }
        watched.withLock { $0[run.handle] = task }
        do {
            for try await _ in starts { break }
        } catch {
            watched.withLock { $0[run.handle] = nil }
            throw error
        }
    }

    package func poll(_ run: WorkerRun) async throws -> WorkerState { task(of: run) == nil ? .unknown : .running }

    package func cancel(_ run: WorkerRun) async { task(of: run)?.cancel() }

    package func end(of run: WorkerRun) async throws -> WorkerEnd {
        guard let task = task(of: run) else { return .unobserved }
        defer { watched.withLock { $0[run.handle] = nil } }
        return try await task.value
    }

    /// Runs a worker to its end.
    private func spawn(
        _ run: WorkerRun, _ output: FileDescriptor, _ onStart: @escaping @Sendable () -> Void
    ) async throws -> WorkerEnd {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: stopTime)
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

    /// The task that watches a run: of one that an earlier daemon started, from now on.
    private func task(of run: WorkerRun) -> Task<WorkerEnd, any Error>? {
        watched.withLock { watched in
            if let task = watched[run.handle] { return task }
            guard let process = RunningProcess(of: run) else { return nil }
            let task = Task { [stopTime] () async throws -> WorkerEnd in
                await process.watch(stopTime: stopTime)
                return .unobserved
            }
            watched[run.handle] = task
            return task
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
