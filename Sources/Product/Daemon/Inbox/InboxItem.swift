package import SystemPackage

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
