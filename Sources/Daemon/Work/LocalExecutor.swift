import Glibc
import Subprocess
import SystemPackage

/// Runs workers as processes of this machine: `dkp work JOBDIR`, each in a process group of its own.
package struct LocalExecutor: Executor {
    private let program: FilePath
    private let stopTime: Duration

    /// - Parameters:
    ///   - program: the path of `dkp`.
    ///   - stopTime: how long a worker that was asked to stop may take before it is killed.
    package init(program: FilePath, stopTime: Duration) {
        self.program = program
        self.stopTime = stopTime
    }

    package func run(_ run: WorkerRun) async throws -> WorkerEnd {
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
        ])
        do {
            let result = try await Subprocess.run(
                .path(program), arguments: ["work", run.directory.string], environment: environment,
                platformOptions: options, input: .none,
                output: .fileDescriptor(output, closeAfterSpawningProcess: true), error: .combinedWithOutput)
            switch result.terminationStatus {
            case .exited(let status): return .exited(status)
            case .signaled(let signal): return .killed(signal: signal)
            }
        } catch let error as SubprocessError {
            throw DaemonError(.worker, "\(program.readable): cannot be run: \(error); check the setting \"worker\"")
        }
    }

    package func endLeftover(_ run: WorkerRun) async throws -> Bool {
        guard let lock = try JobLock(run.directory) else { return true }
        if lock.isFree { return true }
        lock.signalHolder(SIGTERM, job: run.id)
        if await lock.waitUntilFree(stopTime) { return true }
        lock.signalHolder(SIGKILL, job: run.id)
        return await lock.waitUntilFree(.seconds(2))
    }
}
