import CLinux
import Glibc
import SystemPackage

/// A file in the inbox: its own name, and that of the sub-folder that it lies in, if it lies in one.
package struct InboxItem: Sendable, Hashable {
    /// The sub-folder; nil for the inbox itself.
    package var folder: FilePath.Component?
    /// The file's own name.
    package var name: FilePath.Component

    package init(_ name: FilePath.Component, in folder: FilePath.Component? = nil) {
        self.folder = folder
        self.name = name
    }

    /// The name from the inbox on, as text: "cat.png", "holiday/cat.png".
    package var text: String { folder.map { "\($0.string)/\(name.string)" } ?? name.string }
}

/// A sub-folder of the inbox held open, so that its path means that very directory whatever is renamed or linked in its
/// place: what a stranger does to names cannot lead out of the inbox.
package struct HeldFolder: ~Copyable {
    private let descriptor: CInt

    /// Opens a directory; a link is not followed.
    package init(_ path: FilePath) throws(FileError) {
        descriptor = path.withPlatformString { dkp_open_folder($0) }
        guard descriptor >= 0 else { throw .last("open the folder", path) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// A path to the directory itself, for as long as this value lives.
    package var path: FilePath { FilePath("/proc/self/fd/\(descriptor)") }
}
