import CLinux
import Glibc
import Logging
import Restoration
import SystemPackage

/// Looks into the inbox and its sub-folders and says which files are complete; opens nothing but regular files, and says
/// once of each thing that it leaves alone why.
///
/// The files of a sub-folder are work only while it holds a complete `dkp.yaml`: until then, whoever fills the folder may
/// still be about to say what is wanted of them.
package struct InboxScanner {
    /// What one look found.
    package struct Finding: Equatable {
        /// Files to claim now, the longest there first.
        package var ready: [InboxItem] = []
        /// Whether some files are not complete yet: look again soon.
        package var isWaiting = false

        package init(ready: [InboxItem] = [], isWaiting: Bool = false) {
            self.ready = ready
            self.isWaiting = isWaiting
        }
    }

    /// How long a file without an event must not have changed.
    package var settleTime: Duration
    /// The sub-folders that the last listing found.
    package private(set) var folders: Set<FilePath.Component> = []

    private let inbox: FilePath
    private let files: any StateFileSystem
    private let logger: Logger
    private var rules = InboxRules()
    private var told: [InboxItem: String] = [:]

    /// - Parameter settleTime: how long a file without an event must not have changed.
    package init(_ inbox: FilePath, files: any StateFileSystem, settleTime: Duration, logger: Logger) {
        self.inbox = inbox
        self.files = files
        self.settleTime = settleTime
        self.logger = logger
    }

    /// Lists the inbox and its sub-folders.
    /// - Parameter closed: files whose writer is known to have closed them.
    package mutating func scan(
        closed: Set<InboxItem>, now: ContinuousClock.Instant
    ) throws(FileError) -> Finding {
        var look = Look(closed: closed, now: now)
        let names = try files.entries(inbox)
        var present = Set(names.map { InboxItem($0) })
        for name in names where InboxRules.kind(of: name) == .work {
            examine(InboxItem(name), in: inbox, &look)
        }
        folders = look.folders
        for folder in folders { present.formUnion(examine(folder, only: nil, &look)) }
        rules.forget(allBut: present)
        told = told.filter { present.contains($0.key) }
        return look.finding
    }

    /// Looks at single files, as events report them.
    package mutating func look(
        at items: some Collection<InboxItem>, closed: Set<InboxItem>, now: ContinuousClock.Instant
    ) throws(FileError) -> Finding {
        var look = Look(closed: closed, now: now)
        for (folder, items) in Dictionary(grouping: items, by: \.folder) {
            if let folder {
                // The settings are what the other files may have been waiting for.
                let isWhole = items.contains { $0.name.string == ImageSettings.folderFile }
                _ = examine(folder, only: isWhole ? nil : items.map(\.name), &look)
            } else {
                for item in items where InboxRules.kind(of: item.name) == .work { examine(item, in: inbox, &look) }
            }
        }
        return look.finding
    }

    /// Says once why a file is left where it is.
    package mutating func leaveAlone(_ item: InboxItem, _ reason: String) {
        guard told.updateValue(reason, forKey: item) != reason else { return }
        logger.warning(
            "left alone in the inbox",
            metadata: ["name": "\(PrintableText.line(item.text))", "reason": "\(reason)"])
    }

    /// One look in the making.
    private struct Look {
        let closed: Set<InboxItem>
        let now: ContinuousClock.Instant
        var ready: [(item: InboxItem, arrived: Int64)] = []
        var isWaiting = false
        var folders: Set<FilePath.Component> = []

        init(closed: Set<InboxItem>, now: ContinuousClock.Instant) {
            self.closed = closed
            self.now = now
        }

        var finding: Finding {
            Finding(
                ready: ready.sorted { ($0.arrived, $0.item.text) < ($1.arrived, $1.item.text) }.map(\.item),
                isWaiting: isWaiting)
        }
    }

    /// Looks at one thing that is called as work is.
    private mutating func examine(_ item: InboxItem, in directory: FilePath, _ look: inout Look) {
        do throws(FileError) {
            let path = directory.appending(item.name)
            guard let status = try files.status(path) else { return }
            switch status.kind {
            case .regular:
                if try isComplete(item, at: path, status, look) {
                    look.ready.append((item, status.changed))
                } else if told[item] == nil {
                    look.isWaiting = true
                }
            case .directory where item.folder == nil: look.folders.insert(item.name)
            case .directory: leaveAlone(item, "it is a folder within a folder; only the inbox's own are looked into")
            default: leaveAlone(item, "it is a \(status.kind.rawValue), not a file")
            }
        } catch {
            leaveAlone(item, "\(error.relocated(from: directory, to: place(of: item)))")
        }
    }

    /// Looks into a sub-folder.
    /// - Parameter only: the names to look at; all if nil.
    /// - Returns: what it holds.
    private mutating func examine(
        _ folder: FilePath.Component, only names: [FilePath.Component]?, _ look: inout Look
    ) -> Set<InboxItem> {
        do throws(FileError) {
            let held = try HeldFolder(inbox.appending(folder))
            let present = try files.entries(held.path)
            let work = (names ?? present).filter { InboxRules.kind(of: $0) == .work }
            if !work.isEmpty {
                if try hasSettings(folder, held.path, &look) {
                    for name in work { examine(InboxItem(name, in: folder), in: held.path, &look) }
                }
            }
            return Set(present.map { InboxItem($0, in: folder) } + [InboxItem(folder)])
        } catch {
            // It went as it came; if it is there, its name says what is the matter with it.
            if error.code != .noSuchFileOrDirectory {
                leaveAlone(InboxItem(folder), "\(error.relocated(to: inbox.appending(folder)))")
            }
            return [InboxItem(folder)]
        }
    }

    /// Whether a sub-folder has settings, all written.
    private mutating func hasSettings(
        _ folder: FilePath.Component, _ path: FilePath, _ look: inout Look
    ) throws(FileError) -> Bool {
        guard let name = FilePath.Component(ImageSettings.folderFile) else { return false }
        let item = InboxItem(name, in: folder)
        guard let status = try files.status(path.appending(name)), status.kind == .regular else {
            leaveAlone(
                InboxItem(folder),
                "it is a folder without a \(name.string); put one there: an empty one asks for the defaults")
            return false
        }
        let isComplete = try isComplete(item, at: path.appending(name), status, look)
        look.isWaiting = look.isWaiting || !isComplete
        return isComplete
    }

    private mutating func isComplete(
        _ item: InboxItem, at path: FilePath, _ status: FileStatus, _ look: Look
    ) throws(FileError) -> Bool {
        guard
            look.closed.contains(item) || rules.hasSettled(item, status, for: settleTime, now: look.now)
        else { return false }
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

    private func place(of item: InboxItem) -> FilePath { item.folder.map { inbox.appending($0) } ?? inbox }
}
