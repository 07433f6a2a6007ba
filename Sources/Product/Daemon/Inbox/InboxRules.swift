package import Files
package import SystemPackage

/// Which names in the inbox are work, and when a file without an event counts as complete.
package struct InboxRules: Sendable {
    /// What a name by itself says.
    package enum NameKind: Sendable, Equatable {
        /// A file to claim once it is complete.
        case work
        /// Someone's temporary or hidden file: left alone, silently.
        case temporary
        /// The settings of other files.
        case settings
    }

    /// What unfinished files of well-known programs end in: browsers (`.part`, `.crdownload`, `.opdownload`,
    /// `.download`), rsync (`.part`, `.partial`), rclone (`.partial`), WinSCP (`.filepart`), aria2, editors.
    private static let temporaryEndings = [
        ".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".opdownload", ".aria2", ".swp",
    ]

    /// What a name by itself says.
    package static func kind(of name: FilePath.Component) -> NameKind {
        let text = name.string.lowercased()
        if text.hasPrefix(".") || text.hasSuffix("~") { return .temporary }
        if temporaryEndings.contains(where: text.hasSuffix) { return .temporary }
        if text.hasSuffix(".yaml") || text.hasSuffix(".yml") { return .settings }
        return .work
    }

    private var seen: [InboxItem: (status: FileStatus, since: ContinuousClock.Instant)] = [:]

    package init() {}

    /// Whether a file has not changed, in size, time or identity, for the settle time.
    package mutating func hasSettled(
        _ item: InboxItem, _ status: FileStatus, for settleTime: Duration, now: ContinuousClock.Instant
    ) -> Bool {
        if let earlier = seen[item], earlier.status.hasSameContent(as: status) {
            return now - earlier.since >= settleTime
        }
        seen[item] = (status, now)
        return settleTime <= .zero
    }

    /// Forgets the files that are not in the inbox any more.
    package mutating func forget(allBut present: Set<InboxItem>) {
        seen = seen.filter { present.contains($0.key) }
    }
}

extension FileStatus {
    /// Whether nothing suggests that the file was written to between two looks.
    fileprivate func hasSameContent(as other: FileStatus) -> Bool {
        inode == other.inode && device == other.device && size == other.size && modified == other.modified
    }
}
