import Files
import SystemPackage

/// The checkpoints of one run in its directory: `checkpoint-<step>.h5`, the two newest generations.
///
/// For one process at a time, which is the rule for a job directory anyway. While a third generation is written, there
/// must be room for three.
public struct CheckpointStore: Sendable {
    /// The directory, which must be there.
    public let directory: String

    /// The directory in which new generations are made, and through which old ones go; nil for the directory itself. A
    /// store whose staging directory was removed changes nothing any more.
    public let staging: String?

    private var files: LocalFileSystem { LocalFileSystem() }
    private static let prefix = "checkpoint-"
    private static let suffix = ".h5"

    /// The checkpoints in a directory.
    public init(directory: String, staging: String? = nil) {
        self.directory = directory
        self.staging = staging
    }

    /// Writes a generation durably, then removes all but it and the one before.
    ///
    /// Generations of a later step are removed too: they are what the run that saves now did not continue from, being
    /// damaged or of an abandoned run.
    ///
    /// - Parameter step: the number of steps done, not negative.
    /// - Returns: the file's path.
    /// - Throws: as ``SnapshotFile/write(_:to:format:version:from:)``; the generations before are untouched then.
    @discardableResult
    public func save(_ snapshot: Snapshot, step: Int) throws(CheckpointError) -> String {
        precondition(step >= 0, "a step is not negative: \(step)")
        let digits = String(step)
        let padding = String(repeating: "0", count: max(0, 10 - digits.count))
        let path = "\(directory)/\(Self.prefix)\(padding)\(digits)\(Self.suffix)"
        try SnapshotFile.write(snapshot, to: path, from: staging)
        let previous = try generations().first { $0.step < step }
        for generation in try generations() where generation.path != path && generation.path != previous?.path {
            // A file that cannot be removed costs only space, and the next save tries again.
            discard(generation.path)
        }
        return path
    }

    /// Removes a file: by way of the staging directory, so that whoever lost that loses also the right to remove.
    private func discard(_ path: String) {
        guard let staging else {
            try? files.removeFile(FilePath(path))
            return
        }
        let discarded = "\(staging)/.discarded\(Self.suffix)"
        // A directory of such a name must not be in the way of the next.
        if (try? files.rename(path, to: discarded)) != nil { try? files.remove(discarded) }
    }

    /// The newest generation that is intact, or nil if there is none at all. Removes left-over temporary files.
    ///
    /// - Returns: the snapshot, its file, and a sentence for every newer generation that had to be passed over.
    /// - Throws: ``CheckpointError`` with code `damaged` if there are generations and every one is damaged, `newerVersion` if
    ///   the newest was written by a newer program (which is no damage, and no reason to lose work), or a failure to list
    ///   or read: a generation that cannot be read now may be readable the next time.
    public func latest() throws(CheckpointError) -> (snapshot: Snapshot, path: String, warnings: [String])? {
        try removeTemporaries()
        var warnings: [String] = []
        var unread: CheckpointError?
        for generation in try generations() {
            do throws(CheckpointError) {
                return (try SnapshotFile.read(from: generation.path), generation.path, warnings)
            } catch {
                switch error.code {
                // Not found: a link to nothing.
                case .damaged, .wrongFormat, .inputOutput, .notFound:
                    // A bad sector costs a generation where the one before is good.
                    if error.code == .inputOutput { unread = unread ?? error }
                    warnings.append("checkpoint of step \(generation.step) passed over: \(error.message)")
                default: throw error
                }
            }
        }
        if let unread { throw unread }
        guard warnings.isEmpty else {
            throw CheckpointError(
                .damaged,
                "\(directory): no checkpoint is intact, remove them to start from the beginning; "
                    + warnings.joined(separator: "; "))
        }
        return nil
    }

    /// The generations there are, newest first, unread.
    ///
    /// - Throws: ``CheckpointError`` if the directory cannot be listed.
    public func generations() throws(CheckpointError) -> [(step: Int, path: String)] {
        let names = try CheckpointError.converting { try files.names(in: directory) }
        return names.compactMap { name in
            guard name.hasPrefix(Self.prefix), name.hasSuffix(Self.suffix) else { return nil }
            let digits = name.dropFirst(Self.prefix.count).dropLast(Self.suffix.count)
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let step = Int(digits)
            else { return nil }
            return (step, "\(directory)/\(name)")
        }.sorted { $0.step > $1.step }
    }

    /// Removes every generation and left-over temporary file: the run is done.
    ///
    /// - Throws: ``CheckpointError`` if the directory cannot be listed.
    public func removeAll() throws(CheckpointError) {
        try removeTemporaries()
        for generation in try generations() { discard(generation.path) }
        try CheckpointError.converting { try files.synchroniseDirectory(directory) }
    }

    private func removeTemporaries() throws(CheckpointError) {
        try CheckpointError.converting {
            _ = try DurableFile.removeTemporaries(in: FilePath(directory), prefix: Self.prefix)
        }
    }
}
