import CLinux
import Glibc
import SystemPackage

/// Threads of the process's own, beside those that Swift's tasks share.
enum SystemThread {
    private final class Work: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a thread that ends with `body`.
    /// - Parameter name: what the system's tools call it, at most 15 bytes.
    /// - Throws: where the system gives no thread; `body` is not called then.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        let work = Unmanaged.passRetained(Work(name, body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                // Nothing depends on the name.
                _ = dkp_name_thread(work.name)
                work.body()
                return nil
            }, work.toOpaque())
        guard status == 0 else {
            work.release()
            throw Errno(rawValue: status)
        }
        pthread_detach(thread)
    }
}
