import CLinux
import Glibc
import Logging
import SystemPackage

/// Looks into the inbox and says which files are complete; opens nothing but regular files, and says once of each thing
/// that it leaves alone why.
package struct InboxScanner {
    /// What one look found.
    package struct Finding: Equatable {
        /// Files to claim now, the longest there first.
        package var ready: [FilePath.Component] = []
        /// Whether some files are not complete yet: look again soon.
        package var isWaiting = false

        package init(ready: [FilePath.Component] = [], isWaiting: Bool = false) {
            self.ready = ready
            self.isWaiting = isWaiting
        }
    }

    private let inbox: FilePath
    private let files: any StateFileSystem
    private let logger: Logger
    private var rules: InboxRules
    private var told: [FilePath.Component: String] = [:]

    /// - Parameter settleTime: how long a file without an event must not have changed.
    package init(_ inbox: FilePath, files: any StateFileSystem, settleTime: Duration, logger: Logger) {
        self.inbox = inbox
        self.files = files
        self.logger = logger
        rules = InboxRules(settleTime: settleTime)
    }

    /// Lists the inbox.
    /// - Parameter closed: names whose writer is known to have closed them.
    package mutating func scan(
        closed: Set<FilePath.Component>, now: ContinuousClock.Instant
    ) throws(FileError) -> Finding {
        let names = try files.entries(inbox)
        let present = Set(names)
        rules.forget(allBut: present)
        told = told.filter { present.contains($0.key) }
        return try look(at: names, closed: closed, now: now)
    }

    /// Looks at single names, as events report them.
    package mutating func look(
        at names: some Collection<FilePath.Component>, closed: Set<FilePath.Component>, now: ContinuousClock.Instant
    ) throws(FileError) -> Finding {
        var finding = Finding()
        var ready: [(name: FilePath.Component, arrived: Int64)] = []
        for name in names where InboxRules.kind(of: name) == .work {
            do throws(FileError) {
                guard let status = try files.status(inbox.appending(name)) else { continue }
                guard status.kind == .regular else {
                    leaveAlone(name, "it is a \(status.kind.rawValue), not a file")
                    continue
                }
                if try isComplete(name, status, closed: closed.contains(name), now: now) {
                    ready.append((name, status.changed))
                } else if told[name] == nil {
                    finding.isWaiting = true
                }
            } catch {
                leaveAlone(name, "\(error)")
            }
        }
        finding.ready = ready.sorted { ($0.arrived, $0.name.string) < ($1.arrived, $1.name.string) }.map(\.name)
        return finding
    }

    /// Says once why a name is left where it is.
    package mutating func leaveAlone(_ name: FilePath.Component, _ reason: String) {
        guard told.updateValue(reason, forKey: name) != reason else { return }
        logger.warning(
            "left alone in the inbox",
            metadata: ["name": "\(ResultName.printable(name.string))", "reason": "\(reason)"])
    }

    private mutating func isComplete(
        _ name: FilePath.Component, _ status: FileStatus, closed: Bool, now: ContinuousClock.Instant
    ) throws(FileError) -> Bool {
        guard closed || rules.hasSettled(name, status, now: now) else { return false }
        let path = inbox.appending(name)
        let descriptor = path.withPlatformString { dkp_open_regular($0) }
        guard descriptor >= 0 else {
            let code = Errno(rawValue: errno)
            if code == .noSuchFileOrDirectory { return false }
            throw FileError(code, operation: "read", path: path)
        }
        defer { close(descriptor) }
        // Its time may stand still while its writer takes a pause: as far as the system can tell, ask.
        return dkp_is_open_for_writing(descriptor) != 1
    }
}
