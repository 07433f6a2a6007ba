import Dispatch
import Glibc
import Synchronization
import SystemPackage

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

        package init(isIncomplete: Bool = false) { self.isIncomplete = isIncomplete }
    }

    private struct State {
        var news = News()
        /// The sub-folders by the numbers of their watches.
        var folders: [CInt: FilePath.Component] = [:]
    }

    private let state = Mutex(State())
    private let bell: Bell
    private let directory: FilePath
    private let descriptor: CInt
    private let root: CInt
    /// Dispatch sources may be used from any thread; only the declaration does not say so.
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// More names than this are given up for a listing.
    private static let maximumNames = 65_536
    private static let arrivals = IN_CLOSE_WRITE | IN_MOVED_TO
    private static let ends = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR

    /// Watches `directory` from now on: what is dropped after this returns is reported.
    /// - Parameter bell: rung when there is news.
    package init(_ directory: FilePath, bell: Bell) throws(DaemonError) {
        let descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
        guard descriptor >= 0 else { throw Self.failure(.last("watch (inotify_init1)", directory)) }
        // A new sub-folder is heard of by its creation; of files that would be too early.
        let mask = Self.arrivals | IN_CREATE | Self.ends
        root = directory.withPlatformString { inotify_add_watch(descriptor, $0, UInt32(bitPattern: mask)) }
        guard root >= 0 else {
            let error = FileError.last("watch (inotify_add_watch)", directory)
            close(descriptor)
            throw Self.failure(error)
        }
        self.bell = bell
        self.directory = directory
        self.descriptor = descriptor
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor)
        self.source = source
        source.setEventHandler { [weak self] in self?.receive() }
        // The descriptor belongs to the source, which closes it when it needs it no more.
        source.setCancelHandler { close(descriptor) }
        source.activate()
    }

    deinit { source.cancel() }

    /// What has happened since the last call.
    package func takeNews() -> News {
        state.withLock { state in
            let taken = state.news
            state.news = News()
            return taken
        }
    }

    /// Watches these sub-folders and no others. What was put into one before is not reported: list again if any is new.
    /// - Returns: whether any is new, and why one of them cannot be watched.
    package func watch(folders: Set<FilePath.Component>) -> (hasNew: Bool, failure: FileError?) {
        state.withLock { state in
            for (watch, name) in state.folders where !folders.contains(name) {
                _ = inotify_rm_watch(descriptor, watch)
                state.folders[watch] = nil
            }
            var failure: FileError?
            var hasNew = false
            for name in folders.subtracting(state.folders.values) {
                let path = directory.appending(name)
                let mask = Self.arrivals | Self.ends | IN_DONT_FOLLOW
                let watch = path.withPlatformString { inotify_add_watch(descriptor, $0, UInt32(bitPattern: mask)) }
                if watch >= 0 {
                    state.folders[watch] = name
                    hasNew = true
                } else if errno != ENOENT && errno != ENOTDIR {
                    failure = .last("watch (inotify_add_watch)", path)
                }
            }
            return (hasNew, failure)
        }
    }

    private static func failure(_ error: FileError) -> DaemonError {
        DaemonError(.inbox, "\(error); see /proc/sys/fs/inotify for the system's limits")
    }

    private func receive() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0 && errno == EINTR { continue }
                break
            }
            state.withLock { state in
                take(buffer[..<count], &state)
                if state.news.items.count > Self.maximumNames { state.news = News(isIncomplete: true) }
            }
        }
        bell.ring()
    }

    /// Reads the kernel's records: watch, mask, cookie and length of four bytes each, then a name padded with zeros.
    private func take(_ bytes: ArraySlice<UInt8>, _ state: inout State) {
        var rest = bytes
        func word(_ index: Int) -> CInt {
            CInt(
                bitPattern: rest.dropFirst(4 * index).prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
        while rest.count >= 16 {
            let (watch, mask, length) = (word(0), word(1), Int(word(3)))
            let name = rest.dropFirst(16).prefix(length).prefix { $0 != 0 } + [0]
            rest = rest.dropFirst(16 + length)
            if mask & IN_IGNORED != 0 {
                state.folders[watch] = nil
            } else if mask & (Self.arrivals | IN_CREATE) == 0 || mask & IN_ISDIR != 0 {
                if mask & IN_MOVE_SELF != 0, state.folders.removeValue(forKey: watch) != nil {
                    // The watch goes with the directory, wherever that has gone.
                    _ = inotify_rm_watch(descriptor, watch)
                }
                state.news.isIncomplete = true
            } else if mask & Self.arrivals != 0, watch == root || state.folders[watch] != nil {
                let component = name.withUnsafeBytes {
                    $0.bindMemory(to: CChar.self).baseAddress.flatMap { FilePath.Component(platformString: $0) }
                }
                if let component, component.kind == .regular {
                    state.news.items.insert(InboxItem(component, in: state.folders[watch]))
                }
            }
        }
    }
}
