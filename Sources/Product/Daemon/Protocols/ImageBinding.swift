import Files
import SystemPackage

/// The first line of a side file that ``Submission`` wrote: a YAML comment that says for which file its settings are.
///
/// The side file is in the inbox before its image. Whoever writes both may be killed in between, and another image may
/// come under the name that the side file is for: that one must not be restored with settings that were meant for
/// another. A file's number stays with it through every rename.
enum ImageBinding {
    private static let beginning = "# for the file of inode "

    /// The line for an image.
    static func line(for image: FileStatus) -> String {
        "\(beginning)\(image.inode) and \(image.size) bytes only\n"
    }

    /// Whether a side file says for which file it is.
    static func isPresent(in settings: [UInt8]) -> Bool { settings.starts(with: beginning.utf8) }

    /// Whether a side file is for an image: for this very one, or for whatever has the name.
    static func allows(_ image: FileStatus?, in settings: [UInt8]) -> Bool {
        guard isPresent(in: settings) else { return true }
        guard let image else { return false }
        return settings.starts(with: line(for: image).utf8)
    }
}
