import Files
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
        copy.path = TextPath.absolute(path)
        return copy
    }

    /// Whether the path is a mere name, to be looked up in a folder of weights: one that leads nowhere else.
    public var isName: Bool { !path.isEmpty && !path.contains("/") && !path.hasPrefix(".") && !path.utf8.contains(0) }

    /// The place of a name in a folder: a file of that very name, or of that name and the ending `.h5`.
    public func inFolder(_ folder: String) -> WeightsLocation {
        var copy = self
        copy.path = "\(folder)/\(path)"
        if !LocalFileSystem().exists(copy.path), LocalFileSystem().exists(copy.path + ".h5") { copy.path += ".h5" }
        return copy
    }

    /// Whether there is a file of this path.
    public var exists: Bool { LocalFileSystem().exists(path) }

    /// The place of a name in the folders that programs bring their weights to; where there is none of that name, and for
    /// what is no mere name, the place as it is.
    public var installed: WeightsLocation {
        guard isName, !exists else { return self }
        return WeightsFolders.installed.lazy.map { inFolder($0) }.first { $0.exists } ?? self
    }

    /// Checks that there is a file, and that it is what it is called if it has the name of weights that come with the
    /// program.
    /// - Returns: the file's SHA-256 in hexadecimal.
    /// - Throws: ``RestorationError`` with code `weightsNotFound` that lists what the folder has or tells where the weights
    ///   come from, `badInput` for a file that is not the one of its name.
    package func verify() throws -> String {
        let known = ShippedWeights.named(self)
        if let known, !exists {
            let places = isName ? WeightsFolders.installed : [TextPath.parent(of: path)]
            throw RestorationError(
                .weightsNotFound,
                "the weights \(known.name) are not there: no \(known.fileName) in "
                    + places.joined(separator: " nor in "),
                remedy: known.remedy)
        }
        try requireFile()
        let digest = try JobDirectory.digest(of: path).hexadecimal
        if let known, digest != known.sha256 {
            throw RestorationError(
                .badInput,
                "\(path) is not the \(known.fileName) that this program comes with: its SHA-256 is \(digest), not "
                    + known.sha256,
                remedy: "\(known.remedy); weights of your own need another name")
        }
        return digest
    }

    /// Checks that there is a file.
    /// - Throws: ``RestorationError`` with code `weightsNotFound` that lists what the folder has.
    package func requireFile() throws(RestorationError) {
        guard !exists else { return }
        if let group, LocalFileSystem().exists("\(path)#\(group)") {
            throw RestorationError(
                .weightsNotFound, "\(path): no such weights file",
                remedy:
                    "what follows the last # is a group of the file; write \(path)#\(group)# for a file of that name")
        }
        let folder = TextPath.parent(of: path)
        let remedy: String
        if let names = try? LocalFileSystem().names(in: folder) {
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
    /// Looks weights that are given by a mere name, or are the method's own, up in a folder. What is not there but came
    /// with the program keeps its name.
    public mutating func locateWeights(in folder: String) {
        guard let location = weightsLocation, location.isName else { return }
        let place = location.inFolder(folder)
        if place.exists || weights != nil && !location.installed.exists { weights = place.description }
    }

    /// The weights that the method works with: those asked for, or those that come with the program; nil where it needs
    /// none.
    public var weightsLocation: WeightsLocation? {
        if let weights { return WeightsLocation(weights) }
        return method.needsWeights ? WeightsLocation(ShippedWeights.naturalImages.name) : nil
    }
}
