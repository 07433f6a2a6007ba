/// What a folder holds at one moment, as the disk keeps it: nodes, which are files and directories, and the names that
/// directories give to nodes.
struct DiskContents: Hashable {
    /// A name in a directory.
    struct Name: Hashable {
        var directory: Int
        var name: String
    }

    /// The number of the folder itself.
    static let root = 0

    /// The nodes that have a name.
    var names: [Name: Int] = [:]
    /// The bytes of each file.
    var files: [Int: [UInt8]] = [:]
    /// The nodes that are directories.
    var directories: Set<Int> = [root]

    /// The nodes of a directory.
    func entries(of directory: Int) -> [(name: String, node: Int)] {
        names.compactMap { $0.key.directory == directory ? ($0.key.name, $0.value) : nil }
    }

    /// Without what no way leads to from the root.
    var reachable: DiskContents {
        var found = DiskContents()
        var open = [Self.root]
        while let directory = open.popLast() {
            for (name, node) in entries(of: directory) {
                found.names[Name(directory: directory, name: name)] = node
                if directories.contains(node) {
                    if found.directories.insert(node).inserted { open.append(node) }
                } else {
                    found.files[node] = files[node] ?? []
                }
            }
        }
        return found
    }
}
