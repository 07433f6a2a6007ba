import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct `Files after a power failure` {
    private static let old = Array("the old contents".utf8)
    private static let new = [UInt8](repeating: 7, count: 5000)

    /// What is found after each failure of a way to replace `file`.
    private func found(
        _ loss: PowerLoss, startsEmpty: Bool = false, replace: (FilePath) throws -> Void
    ) throws -> [(found: [UInt8]?, isReported: Bool)] {
        try DiskRecording.withFolder { folder in
            if !startsEmpty { try DurableFile.write(Self.old, to: FilePath("\(folder)/file")) }
        } _: { disk in
            let path = FilePath("\(disk.root)/file")
            try disk.run {
                try replace(path)
                disk.mark("replaced")
            }
            var outcomes: [(found: [UInt8]?, isReported: Bool)] = []
            try disk.afterEachFailure(loss) { failure in
                outcomes.append((try? LocalFileSystem().contents(of: path.string), !failure.reported.isEmpty))
            }
            return outcomes
        }
    }

    @Test(arguments: PowerLoss.all, [false, true])
    func `that were replaced durably are the old ones or the new, and the new once that is reported`(
        _ loss: PowerLoss, _ startsEmpty: Bool
    ) throws {
        for name in [DurableFile.TemporaryName.unique, .fixed] {
            let outcomes = try found(loss, startsEmpty: startsEmpty) { path in
                try DurableFile.write(Self.new, to: path, temporary: name)
            }
            #expect(outcomes.first?.found == (startsEmpty ? nil : Self.old))
            #expect(outcomes.last?.found == Self.new && outcomes.last?.isReported == true)
            for (found, isReported) in outcomes {
                #expect(found == Self.new || !isReported && found == (startsEmpty ? nil : Self.old))
            }
        }
    }

    // What the other tests rest on: that the recording loses what a disk may lose.

    @Test func `have lost their name where the directory was not synchronised`() throws {
        let outcomes = try found(.everything) { path in
            let writer = try FileWriter(creating: path.string + ".new")
            try writer.write(Self.new[...])
            try writer.synchronise()
            try LocalFileSystem().rename(path.string + ".new", to: path.string)
        }
        #expect(outcomes.allSatisfy { $0.found == Self.old } && outcomes.last?.isReported == true)
    }

    @Test func `are empty under their new name where only the directory was synchronised`() throws {
        let outcomes = try found(.bytes) { path in
            try FileWriter(creating: path.string + ".new").write(Self.new[...])
            try LocalFileSystem().rename(path.string + ".new", to: path.string)
            try DurableFile.synchroniseDirectory(path.removingLastComponent())
        }
        #expect(outcomes.last?.found == [] && outcomes.last?.isReported == true)
    }

    @Test func `that were written into directly may hold a part`() throws {
        let outcomes = try PowerLoss.all.flatMap { loss in
            try found(loss) { path in try FileWriter(creating: path).write(Self.new[...]) }
        }
        #expect(outcomes.contains { $0.found == Self.old })
        #expect(outcomes.contains { $0.found.map { 1..<5000 ~= $0.count && $0 != Self.old } ?? false })
    }

    @Test func `are gone with a directory whose own name was not synchronised`() throws {
        let outcomes = try found(.everything) { path in
            let directory = path.removingLastComponent().appending("directory")
            try LocalFileSystem().makeDirectory(directory)
            try LocalFileSystem().rename(path, to: directory.appending("file"))
            try LocalFileSystem().synchronise(directory)
        }
        #expect(outcomes.last?.found == nil && outcomes.last?.isReported == true)
    }
}
