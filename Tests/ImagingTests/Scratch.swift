import Foundation
import TestSupport

/// Runs `body` with the path of a file of this content in a directory of its own, removed afterwards.
func withScratchFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
        let path = directory + "/image.png"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        try body(path)
    }
}

/// The names of all other entries in the directory of the file at `path`.
func entries(besides path: String) throws -> [String] {
    let file = URL(fileURLWithPath: path)
    return try FileManager.default.contentsOfDirectory(atPath: file.deletingLastPathComponent().path)
        .filter { $0 != file.lastPathComponent }
}
