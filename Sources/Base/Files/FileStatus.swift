import Glibc
import SystemPackage

/// What the system says of a file, without opening or following it.
package struct FileStatus: Sendable, Hashable {
    /// What kind of thing has the name.
    package enum Kind: String, Sendable {
        /// An ordinary file.
        case regular = "regular file"
        /// A directory.
        case directory
        /// A symbolic link.
        case symbolicLink = "symbolic link"
        /// A named pipe.
        case pipe = "FIFO"
        /// A socket.
        case socket
        /// A character or block device.
        case device
        /// Anything else.
        case other = "special file"
    }

    /// What kind of thing it is.
    package var kind: Kind
    /// The number of the user whom it belongs to.
    package var owner: UInt32
    /// The number of its group.
    package var group: UInt32
    /// Its permission bits, with those of set-user-ID, set-group-ID and the sticky one.
    package var permissions: UInt32
    /// The file system that it lies on.
    package var device: UInt64
    /// Its number there.
    package var inode: UInt64
    /// Its length in bytes.
    package var size: Int64
    /// When its content last changed, nanoseconds since 1970.
    package var modified: Int64
    /// When its content, name or status last changed, nanoseconds since 1970; the dropper cannot set it.
    package var changed: Int64

    init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFIFO: .pipe
            case S_IFSOCK: .socket
            case S_IFCHR, S_IFBLK: .device
            default: .other
            }
        owner = status.st_uid
        group = status.st_gid
        permissions = status.st_mode & 0o7777
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Self.nanoseconds(status.st_mtim)
        changed = Self.nanoseconds(status.st_ctim)
    }

    /// Wraps on dates beyond the year 2262, which are legal on disk and only compared here.
    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
