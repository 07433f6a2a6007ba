import Files
import Foundation

/// Weights that come with the program.
package struct ShippedWeights: Sendable {
    /// What they are asked for by.
    package let name: String
    /// SHA-256 of the file, in hexadecimal.
    let sha256: String

    /// A prior of photographs of all kinds; see Docs/weights.md.
    package static let naturalImages = ShippedWeights(
        name: "natural-images", sha256: "55ac7993fdaf17bd0f7fbfefd9d417be5a32ba3090d4aed0011bd5b3e2292874")

    private static let all = [naturalImages]

    /// Those that a place is named after, in whatever folder.
    static func named(_ location: WeightsLocation) -> ShippedWeights? {
        let file = (location.path as NSString).lastPathComponent
        return all.first { file == $0.name || file == $0.fileName }
    }

    /// The file's name.
    var fileName: String { "\(name).h5" }

    /// Where to get it.
    var remedy: String {
        "install the package again, or copy Weights/\(fileName) of the source into the state folder's weights; method "
            + "dip-dkp needs none"
    }
}

/// Where weights lie that are asked for by name.
enum WeightsFolders {
    /// The folders that come with the program: `share/dkpd/weights` beside the executable's `bin`, and for one that was
    /// built in a checkout the checkout's `Weights`.
    static let installed: [String] = {
        guard let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            return []
        }
        var folder = TextPath.parent(of: executable)
        var folders = ["\(TextPath.parent(of: folder))/share/dkpd/weights"]
        while folder.count > 1 {
            folder = TextPath.parent(of: folder)
            if LocalFileSystem().exists("\(folder)/Package.swift") {
                folders.append("\(folder)/Weights")
                break
            }
        }
        return folders
    }()
}
