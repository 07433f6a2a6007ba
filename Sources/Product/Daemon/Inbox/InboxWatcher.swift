package import Files
import Glibc
import Synchronization
package import SystemPackage

/// Tells when something may have arrived in a directory or in its sub-folders, from the kernel's own events (inotify).
///
/// Events are hints, the directory is the truth: a name reported here has been closed by its writer or renamed into
/// place and may be looked at now; what is not reported is found by listing.
package final class InboxWatcher: Sendable {
    /// What has happened since it was last asked.
    package struct News: Sendable, Equatable {
        /// Files whose writer has closed them, or that were renamed into place.
        package var items: Set<InboxItem> = []
        /// Whether events were lost, or a directory came, went or was moved: list them.
        package var isIncomplete = false
        /// Files that have been written to and not been closed since, as far as it was seen. Of others nothing is known.
        package var writing: Set<InboxItem> = []

        package init(isIncomplete: Bool = false) { self.isIncomplete = isIncomplete }
    }

    private struct State {
        var news = News()
        /// Whether there is something to be looked at; that files are being written is not.
        var hasNews: Bool { news.isIncomplete || !news.items.isEmpty }
        /// The sub-folders by the numbers of their watches.
        var folders: [CInt: FilePath.Component] = [:]
        /// Sub-folders that are watched since they were made, and were not asked for yet.
        var early: Set<FilePath.Component> = []
        /// Files written to and not closed since.
        var writing: Set<InboxItem> = []
        /// The renaming whose second half, the new name, is still to come, of a file that was being written.
        var renaming: CInt?
    }

    private let state = Mutex(State())
    private let wakeup: Wakeup
    private let directory: FilePath
    private let descriptor: CInt
    private let root: CInt
    private let watch = Mutex<DescriptorWatch?>(nil)

    /// More names than this are given up for a listing.
    private static let maximumNames = 65_536
    private static let arrivals = IN_CLOSE_WRITE | IN_MOVED_TO
    private static let departures = IN_DELETE | IN_MOVED_FROM
    private static let ends = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
    /// A new sub-folder is heard of by its creation. A file's creation says nothing, as it may have been linked there;
    /// that it is being written is heard of by its first bytes.
    private static let mask = arrivals | departures | IN_CREATE | IN_MODIFY | ends

    /// Watches `directory` from now on: what is dropped after this returns is reported.
    /// - Parameter wakeup: woken when there is news.
    package init(_ directory: FilePath, wakeup: Wakeup) throws(DaemonError) {
        let descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
        guard descriptor >= 0 else { throw Self.failure(.last("watch (inotify_init1)", directory)) }
        root = directory.withPlatformString { inotify_add_watch(descriptor, $0, UInt32(bitPattern: Self.mask)) }
        guard root >= 0 else {
            let error = FileError.last("watch (inotify_add_watch)", directory)
            close(descriptor)
            throw Self.failure(error)
        }
        self.wakeup = wakeup
        self.directory = directory
        self.descriptor = descriptor
        do {
            // The descriptor belongs to the watch, which closes it when it needs it no more.
            let watch = try DescriptorWatch(
                descriptor,
                onReadable: { [weak self] in
                    self?.receive()
                    return self != nil
                }, onEnd: { close(descriptor) })
            self.watch.withLock { $0 = watch }
        } catch {
            close(descriptor)
            throw Self.failure(FileError(error, "watch", directory))
        }
    }

    deinit { watch.withLock { $0?.end() } }

    /// What has happened since the last call, up to now.
    package func takeNews() -> News {
        state.withLock { state in
            receive(&state)
            var taken = state.news
            taken.writing = state.writing
            state.news = News()
            return taken
        }
    }

    /// The files being written now, as far as it was seen; what else has happened is kept for ``takeNews()``.
    package func filesBeingWritten() -> Set<InboxItem> {
        let (writing, hasNews) = state.withLock { state in
            receive(&state)
            return (state.writing, state.hasNews)
        }
        if hasNews { wakeup.wake() }
        return writing
    }

    /// Watches these sub-folders and no others. What was put into one before is not reported: list again if any is new.
    /// - Returns: whether any is new, and why one of them cannot be watched.
    package func watch(folders: Set<FilePath.Component>) -> (hasNew: Bool, failure: FileError?) {
        state.withLock { state in
            for (watch, name) in state.folders where !folders.contains(name) {
                _ = inotify_rm_watch(descriptor, watch)
                forget(watch, &state)
            }
            var failure: FileError?
            var hasNew = !state.early.isDisjoint(with: folders)
            state.early = []
            for name in folders.subtracting(state.folders.values) {
                do throws(FileError) {
                    if try add(name, &state) { hasNew = true }
                } catch {
                    failure = error
                }
            }
            return (hasNew, failure)
        }
    }

    /// Watches one sub-folder; false if it is gone, or no folder.
    private func add(_ name: FilePath.Component, _ state: inout State) throws(FileError) -> Bool {
        let path = directory.appending(name)
        let mask = UInt32(bitPattern: Self.mask | IN_DONT_FOLLOW)
        let watch = path.withPlatformString { inotify_add_watch(descriptor, $0, mask) }
        if watch >= 0 {
            state.folders[watch] = name
            return true
        }
        let error = FileError.last("watch (inotify_add_watch)", path, .reading)
        if error.code == .notFound { return false }
        throw error
    }

    /// Forgets a sub-folder that is not watched any more.
    private func forget(_ watch: CInt, _ state: inout State) {
        guard let name = state.folders.removeValue(forKey: watch) else { return }
        state.early.remove(name)
        state.writing = state.writing.filter { $0.folder != name }
    }

    private static func failure(_ error: FileError) -> DaemonError {
        DaemonError(limit(error) == nil ? .inbox : .inotifyLimit, reason(error))
    }

    /// Why something cannot be watched, in a sentence with the remedy.
    static func reason(_ error: FileError) -> String {
        guard let limit = limit(error) else { return "\(error)" }
        return
            "\(error.path.readable): cannot be watched, as the system's limit \(limit) is reached; raise it with sysctl"
    }

    /// The limit of the system that made watching fail; nil if another thing did.
    private static func limit(_ error: FileError) -> String? {
        switch error.cause {
        case .noSpace: "fs.inotify.max_user_watches"
        case .tooManyOpenFiles: "fs.inotify.max_user_instances"
        default: nil
        }
    }

    private func receive() {
        let hasNews = state.withLock { state in
            receive(&state)
            return state.hasNews
        }
        if hasNews { wakeup.wake() }
    }

    private func receive(_ state: inout State) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0 && Errno.last == .interrupted { continue }
                break
            }
            take(buffer[..<count], &state)
            if state.news.items.count > Self.maximumNames { state.news = News(isIncomplete: true) }
            // Of so many at once nothing is known any more.
            if state.writing.count > Self.maximumNames { state.writing = [] }
        }
    }

    /// Reads the kernel's records: watch, mask, cookie and length of four bytes each, then a name padded with zeros.
    private func take(_ bytes: ArraySlice<UInt8>, _ state: inout State) {
        var rest = bytes
        func word(_ index: Int) -> CInt {
            CInt(
                bitPattern: rest.dropFirst(4 * index).prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
        while rest.count >= 16 {
            let (watch, mask, cookie, length) = (word(0), word(1), word(2), Int(word(3)))
            let name = rest.dropFirst(16).prefix(length).prefix { $0 != 0 } + [0]
            rest = rest.dropFirst(16 + length)
            if mask & IN_Q_OVERFLOW != 0 {
                state.news.isIncomplete = true
                state.writing = []
            } else if mask & IN_IGNORED != 0 {
                forget(watch, &state)
            } else if mask & (Self.ends & ~IN_ONLYDIR) != 0 {
                if mask & IN_MOVE_SELF != 0, state.folders[watch] != nil {
                    // The watch goes with the directory, wherever that has gone.
                    _ = inotify_rm_watch(descriptor, watch)
                    forget(watch, &state)
                }
                state.news.isIncomplete = true
            } else if watch == root || state.folders[watch] != nil {
                let component = name.withUnsafeBytes {
                    $0.bindMemory(to: CChar.self).baseAddress.flatMap { FilePath.Component(platformString: $0) }
                }
                guard let component, component.kind == .regular else { continue }
                let item = InboxItem(component, in: state.folders[watch])
                if mask & IN_ISDIR != 0 {
                    takeFolder(item, mask, &state)
                } else {
                    takeFile(item, mask, cookie, &state)
                }
            }
        }
    }

    private func takeFolder(_ item: InboxItem, _ mask: CInt, _ state: inout State) {
        state.news.isIncomplete = true
        // Watched at once: what is written into it from now on is seen.
        guard item.folder == nil, mask & (IN_CREATE | IN_MOVED_TO) != 0,
            !state.folders.values.contains(item.name), InboxRules.kind(of: item.name) == .work
        else { return }
        if (try? add(item.name, &state)) == true { state.early.insert(item.name) }
    }

    private func takeFile(_ item: InboxItem, _ mask: CInt, _ cookie: CInt, _ state: inout State) {
        if mask & IN_MODIFY != 0 {
            state.writing.insert(item)
        } else if mask & Self.departures != 0 {
            let wasWritten = state.writing.remove(item) != nil
            // Its writer may go on under the new name.
            if mask & IN_MOVED_FROM != 0 { state.renaming = wasWritten ? cookie : nil }
        } else if mask & IN_MOVED_TO != 0, state.renaming == cookie {
            state.renaming = nil
            state.writing.insert(item)
        } else if mask & Self.arrivals != 0 {
            state.writing.remove(item)
            state.news.items.insert(item)
        }
    }
}
