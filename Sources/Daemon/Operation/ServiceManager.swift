import CSystemd

/// Tells the service manager (systemd) how the daemon is; silent where there is none.
package struct ServiceManager: Sendable {
    package init() {}

    /// The inbox is watched: the service is up.
    package func ready() { send("READY=1") }

    /// The daemon is about to end.
    package func stopping() { send("STOPPING=1\nSTATUS=stopping: workers write their checkpoints") }

    /// One line for `systemctl status`.
    package func status(_ line: String) { send("STATUS=\(ResultName.printable(line))") }

    /// What it returns is not looked at: nothing would be done otherwise if nobody listened.
    private func send(_ message: String) { _ = sd_notify(0, message) }
}
