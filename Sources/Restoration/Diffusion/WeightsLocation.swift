import Foundation

/// Where a diffusion model's weights are: a file, and perhaps a group in it, written `file.h5#group`.
public struct WeightsLocation: Sendable, Hashable, CustomStringConvertible {
    /// The file's path.
    public var path: String
    /// The group in the file; nil for its root.
    public var group: String?

    /// Reads `path` or `path#group`. The last `#` is the one that counts: a path that has one of its own is written with
    /// another behind it, `a#b.h5#`.
    public init(_ text: String) {
        guard let mark = text.lastIndex(of: "#"), mark > text.startIndex else {
            path = text
            return
        }
        path = String(text[..<mark])
        let group = String(text[text.index(after: mark)...])
        self.group = group.isEmpty ? nil : group
    }

    /// As it is read.
    public var description: String {
        group.map { "\(path)#\($0)" } ?? (path.dropFirst().contains("#") ? "\(path)#" : path)
    }

    /// The same place with a path that means the same in another working directory.
    public var absolute: WeightsLocation {
        var copy = self
        copy.path = FileSystem.absolute(path)
        return copy
    }

    /// Whether the path is a mere name, to be looked up in a folder of weights: one that leads nowhere else.
    public var isName: Bool { !path.isEmpty && !path.contains("/") && !path.hasPrefix(".") && !path.utf8.contains(0) }

    /// The place of a name in a folder: a file of that very name, or of that name and the ending `.h5`.
    public func inFolder(_ folder: String) -> WeightsLocation {
        var copy = self
        copy.path = "\(folder)/\(path)"
        if !FileSystem.exists(copy.path), FileSystem.exists(copy.path + ".h5") { copy.path += ".h5" }
        return copy
    }

    /// Checks that there is a file.
    /// - Throws: ``RestorationError`` with code `weightsNotFound` that lists what the folder has.
    func requireFile() throws(RestorationError) {
        guard !FileSystem.exists(path) else { return }
        if let group, FileSystem.exists("\(path)#\(group)") {
            throw RestorationError(
                .unavailable, "\(path): no such weights file",
                remedy:
                    "what follows the last # is a group of the file; write \(path)#\(group)# for a file of that name")
        }
        let folder = FileSystem.parent(of: path)
        let remedy: String
        if let names = try? FileSystem.names(in: folder) {
            let files = names.filter { $0.hasSuffix(".h5") || $0.hasSuffix(".hdf5") }
            remedy =
                files.isEmpty
                ? "\(folder) holds no weights files; Docs/weights.md tells how to make one"
                : "\(folder) holds \(files.joined(separator: ", "))"
        } else {
            remedy = "there is no folder \(folder) either"
        }
        throw RestorationError(.weightsNotFound, "\(path): no such weights file", remedy: remedy)
    }
}

extension RestorationSettings {
    /// Looks weights that are given by a mere name up in a folder.
    public mutating func locateWeights(in folder: String) {
        guard let location = weights.map({ WeightsLocation($0) }), location.isName else { return }
        weights = location.inFolder(folder).description
    }
}
