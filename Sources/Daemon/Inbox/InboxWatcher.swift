import Dispatch
import Glibc
import Synchronization
import SystemPackage

/// Tells when something may have arrived in a directory, from the kernel's own events (inotify).
///
/// Events are hints, the directory is the truth: a name reported here has been closed by its writer or renamed into
/// place and may be looked at now; what is not reported is found by listing.
package final class InboxWatcher: Sendable {
    /// What has happened since it was last asked.
    package struct News: Sendable, Equatable {
        /// Names whose writer has closed them, or that were renamed into place.
        package var names: Set<FilePath.Component> = []
        /// Whether events were lost or the directory itself was moved or removed: list it.
        package var isIncomplete = false
    }

    private let news = Mutex(News())
    private let bell: Bell
    /// Dispatch sources may be used from any thread; only the declaration does not say so.
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// More names than this are given up for a listing.
    private static let maximumNames = 65_536

    /// Watches `directory` from now on: what is dropped after this returns is reported.
    /// - Parameter bell: rung when there is news.
    package init(_ directory: FilePath, bell: Bell) throws(DaemonError) {
        let descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
        guard descriptor >= 0 else { throw Self.failure(.last("watch (inotify_init1)", directory)) }
        let mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
        guard directory.withPlatformString({ inotify_add_watch(descriptor, $0, UInt32(bitPattern: mask)) }) >= 0
        else {
            let error = FileError.last("watch (inotify_add_watch)", directory)
            close(descriptor)
            throw Self.failure(error)
        }
        self.bell = bell
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor)
        self.source = source
        source.setEventHandler { [weak self] in self?.receive(descriptor) }
        // The descriptor belongs to the source, which closes it when it needs it no more.
        source.setCancelHandler { close(descriptor) }
        source.activate()
    }

    deinit { source.cancel() }

    /// What has happened since the last call.
    package func takeNews() -> News {
        news.withLock { news in
            let taken = news
            news = News()
            return taken
        }
    }

    private static func failure(_ error: FileError) -> DaemonError {
        DaemonError(.inbox, "\(error); see /proc/sys/fs/inotify for the system's limits")
    }

    private func receive(_ descriptor: CInt) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0 && errno == EINTR { continue }
                break
            }
            let events = Self.parse(buffer[..<count])
            news.withLock { news in
                news.names.formUnion(events.names)
                news.isIncomplete = news.isIncomplete || events.isIncomplete
                if news.names.count > Self.maximumNames { news = News(isIncomplete: true) }
            }
        }
        bell.ring()
    }

    /// Reads the kernel's records: watch, mask, cookie and length of four bytes each, then a name padded with zeros.
    private static func parse(_ bytes: ArraySlice<UInt8>) -> News {
        var news = News()
        var rest = bytes
        func word(_ index: Int) -> UInt32 {
            rest.dropFirst(4 * index).prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        while rest.count >= 16 {
            let mask = CInt(bitPattern: word(1))
            let length = Int(word(3))
            let name = rest.dropFirst(16).prefix(length).prefix { $0 != 0 } + [0]
            rest = rest.dropFirst(16 + length)
            if mask & (IN_CLOSE_WRITE | IN_MOVED_TO) != 0 {
                let component = name.withUnsafeBytes {
                    $0.bindMemory(to: CChar.self).baseAddress.flatMap { FilePath.Component(platformString: $0) }
                }
                if let component, component.kind == .regular { news.names.insert(component) }
            } else {
                news.isIncomplete = true
            }
        }
        return news
    }
}
