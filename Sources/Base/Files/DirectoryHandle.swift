import CLinux
import Glibc
package import SystemPackage

/// A directory held open, so that its path means that very directory whatever is renamed or linked in its place: what a
/// stranger does to names cannot lead out of it.
package struct DirectoryHandle: ~Copyable {
    private let descriptor: CInt

    /// Opens a directory; a link is not followed.
    package init(_ path: FilePath) throws(FileError) {
        descriptor = path.withPlatformString { dkp_open_folder($0) }
        guard descriptor >= 0 else { throw .last("open the folder", path, .reading) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// A path to the directory itself, for as long as this value lives.
    package var path: FilePath { FilePath("/proc/self/fd/\(descriptor)") }

    /// Whether names in it may be made and removed by this process.
    package var isWritable: Bool { path.withPlatformString { access($0, W_OK | X_OK) } == 0 }
}
