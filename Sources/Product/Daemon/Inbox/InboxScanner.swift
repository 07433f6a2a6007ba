import CLinux
import Failures
package import Files
package import Foundation
import Glibc
package import Logging
package import SystemPackage

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

    /// Of so many files the settings are asked for by name, of more the directory is listed.
    private static let fewItems = 8

    /// What was taken is forgotten when it is more than this.
    private static let maximumTaken = 20_000

    private let inbox: FilePath
    private let files: any FileSystem
    private let logger: Logger
    private var rules = InboxRules()
    private var told: [InboxItem: String] = [:]
    /// When files were taken, nanoseconds since 1970.
    private var taken: [InboxItem: Int64] = [:]

    /// - Parameter settleTime: how long a file without an event must not have changed.
    package init(_ inbox: FilePath, files: any FileSystem, settleTime: Duration, logger: Logger) {
        self.inbox = inbox
        self.files = files
        self.settleTime = settleTime
        self.logger = logger
    }

    /// Lists the inbox and its sub-folders.
    /// - Parameters:
    ///   - closed: files whose writer is known to have closed them.
    ///   - writing: files that are known to have been written to and not closed since.
    package mutating func scan(
        closed: Set<InboxItem>, writing: Set<InboxItem> = [], now: ContinuousClock.Instant
    ) throws(FileError) -> Finding {
        var look = Look(closed: closed, writing: writing, now: now)
        let names = try files.entries(inbox)
        var present = Set(names.map { InboxItem($0) })
        look.settings = SideFile.Listing(names)
        for name in names where InboxRules.kind(of: name) == .work {
            examine(InboxItem(name), in: inbox, &look)
        }
        tellOfIdleSettings(names.map { InboxItem($0) }, in: inbox, look)
        folders = look.folders
        for folder in folders { present.formUnion(examine(folder, only: nil, &look)) }
        rules.forget(allBut: present)
        told = told.filter { present.contains($0.key) }
        if taken.count > Self.maximumTaken { taken = [:] }
        return look.finding
    }

    /// Looks at single files, as events report them.
    package mutating func look(
        at items: some Collection<InboxItem>, closed: Set<InboxItem>, writing: Set<InboxItem> = [],
        now: ContinuousClock.Instant
    ) throws(FileError) -> Finding {
        var look = Look(closed: closed, writing: writing, now: now)
        for (folder, items) in Dictionary(grouping: items, by: \.folder) {
            if let folder {
                // The settings are what the other files may have been waiting for.
                let isWhole = items.contains { SideFile.folderNames.contains($0.name) }
                _ = examine(folder, only: isWhole ? nil : items.map(\.name), &look)
            } else {
                look.settings = items.count > Self.fewItems ? SideFile.Listing(try files.entries(inbox)) : nil
                for item in items where InboxRules.kind(of: item.name) == .work { examine(item, in: inbox, &look) }
            }
        }
        return look.finding
    }

    /// Says once why a file is left where it is.
    package mutating func ignore(_ item: InboxItem, _ reason: String) {
        guard told.updateValue(reason, forKey: item) != reason else { return }
        logger.warning(
            "left alone in the inbox",
            metadata: ["name": "\(PrintableText.line(item.text))", "reason": "\(reason)"])
    }

    /// One look in the making.
    private struct Look {
        let closed: Set<InboxItem>
        let writing: Set<InboxItem>
        let now: ContinuousClock.Instant
        var ready: [(item: InboxItem, arrived: Int64)] = []
        var isWaiting = false
        var folders: Set<FilePath.Component> = []
        /// The settings in the directory that is looked at, where it was listed.
        var settings: SideFile.Listing?

        init(closed: Set<InboxItem>, writing: Set<InboxItem>, now: ContinuousClock.Instant) {
            self.closed = closed
            self.writing = writing
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
                if try isComplete(item, at: path, status, look), try hasWholeSettings(item, in: directory, look) {
                    look.ready.append((item, status.changed))
                } else if told[item] == nil {
                    look.isWaiting = true
                }
            case .directory where item.folder == nil: look.folders.insert(item.name)
            case .directory: ignore(item, "it is a folder within a folder; only the inbox's own are looked into")
            default: ignore(item, "it is a \(status.kind.rawValue), not a file")
            }
        } catch {
            ignore(item, "\(error.relocated(from: directory, to: place(of: item)))")
        }
    }

    /// Looks into a sub-folder.
    /// - Parameter only: the names to look at; all if nil.
    /// - Returns: what it holds.
    private mutating func examine(
        _ folder: FilePath.Component, only names: [FilePath.Component]?, _ look: inout Look
    ) -> Set<InboxItem> {
        do throws(FileError) {
            let held = try DirectoryHandle(inbox.appending(folder))
            let present = try files.entries(held.path)
            look.settings = SideFile.Listing(present)
            let work = (names ?? present).filter { InboxRules.kind(of: $0) == .work }
            if !work.isEmpty, try hasSettings(folder, held.path, &look) {
                // Whoever made it may not have given its group the right to write.
                if held.isWritable {
                    for name in work { examine(InboxItem(name, in: folder), in: held.path, &look) }
                } else {
                    let place = inbox.appending(folder).readable
                    ignore(
                        InboxItem(folder),
                        "nothing can be taken out of the folder; chmod g+w '\(place)' lets the daemon do it")
                }
            }
            let items = present.map { InboxItem($0, in: folder) }
            if names == nil { tellOfIdleSettings(items, in: held.path, look) }
            return Set(items + [InboxItem(folder)])
        } catch {
            // It went as it came; if it is there, its name says what is the matter with it.
            if !error.isMissing {
                ignore(InboxItem(folder), "\(error.relocated(to: inbox.appending(folder)))")
            }
            return [InboxItem(folder)]
        }
    }

    /// Whether a sub-folder has settings, all written.
    private mutating func hasSettings(
        _ folder: FilePath.Component, _ path: FilePath, _ look: inout Look
    ) throws(FileError) -> Bool {
        let choice = try SideFile.chooseShared(in: path, files)
        guard case .one(let name) = choice, let status = try files.status(path.appending(name)) else {
            var reason =
                "it is a folder without a \(ImageSettings.folderFile); put one there: an empty one asks for the defaults"
            if case .unclear(let sentence) = choice { reason = sentence }
            ignore(InboxItem(folder), reason)
            return false
        }
        let item = InboxItem(name, in: folder)
        let isComplete = try isComplete(item, at: path.appending(name), status, look)
        look.isWaiting = look.isWaiting || !isComplete
        return isComplete
    }

    private mutating func isComplete(
        _ item: InboxItem, at path: FilePath, _ status: FileStatus, _ look: Look
    ) throws(FileError) -> Bool {
        // An empty file is what some programs make first, to fill or replace it later.
        let isClosed = status.size > 0 && look.closed.contains(item)
        guard isClosed || rules.hasSettled(item, status, for: settleTime, now: look.now) else { return false }
        return try !isBeingWritten(item, at: path, look)
    }

    /// Whether someone has a file open for writing, as far as one can tell.
    private func isBeingWritten(
        _ item: InboxItem, at path: FilePath, _ look: Look
    ) throws(FileError) -> Bool {
        do throws(FileError) {
            // Its time may stand still while its writer takes a pause. The system tells only of files of one's own; of
            // others, what was seen of them.
            return try RegularFile(path, followingLinks: false).isOpenForWriting ?? look.writing.contains(item)
        } catch {
            if error.isMissing { return true }
            throw error
        }
    }

    /// Whether the settings beside a file, if it has any, are all written.
    private mutating func hasWholeSettings(
        _ item: InboxItem, in directory: FilePath, _ look: Look
    ) throws(FileError) -> Bool {
        guard case .one(let name) = try SideFile.choose(for: item, in: directory, files, among: look.settings)
        else { return true }
        let side = InboxItem(name, in: item.folder)
        let path = directory.appending(name)
        guard let status = try files.status(path), status.kind == .regular else { return true }
        if status.size == 0, !rules.hasSettled(side, status, for: settleTime, now: look.now) { return false }
        return try !isBeingWritten(side, at: path, look)
    }

    /// Notes that a file was taken: settings that come for it afterwards are too late.
    /// - Parameter time: when the taking began.
    package mutating func note(taken item: InboxItem, at time: Date) {
        let nanoseconds = Int64(time.timeIntervalSince1970 * 1e9)
        taken[item] = nanoseconds
        if let stem = SideFile.stemName(of: item.name) { taken[InboxItem(stem, in: item.folder)] = nanoseconds }
    }

    /// Says once of settings that have no effect: those that came after their image was taken, and those for a folder
    /// that lie in the inbox itself.
    private mutating func tellOfIdleSettings(_ items: [InboxItem], in directory: FilePath, _ look: Look) {
        for item in items where InboxRules.kind(of: item.name) == .settings && told[item] == nil {
            if SideFile.folderNames.contains(item.name) {
                if item.folder == nil {
                    ignore(
                        item,
                        "it has no effect here: it is for a sub-folder; settings for all images stand in the daemon's own file"
                    )
                }
                continue
            }
            guard let base = SideFile.base(of: item.name), let time = taken[InboxItem(base, in: item.folder)],
                let status = (try? files.status(directory.appending(item.name))) ?? nil, status.changed > time,
                rules.hasSettled(item, status, for: settleTime, now: look.now)
            else { continue }
            ignore(
                item,
                "it came after its image was taken, which goes by other settings; it holds for the next of that name")
        }
    }

    private func place(of item: InboxItem) -> FilePath { item.folder.map { inbox.appending($0) } ?? inbox }
}
