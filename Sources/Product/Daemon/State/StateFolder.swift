package import Files
public import SystemPackage

/// The folders of one daemon, all on one file system: a claim and a publication are each one rename.
public struct StateFolder: Sendable, Hashable {
    /// The folder that holds them all.
    public let root: FilePath

    /// Names the folders below `root`; makes nothing.
    public init(_ root: FilePath) { self.root = root }

    /// Where images are dropped.
    public var inbox: FilePath { root.appending("inbox") }
    /// One directory for each job in progress.
    public var jobs: FilePath { root.appending("jobs") }
    /// One directory for each finished image.
    public var outbox: FilePath { root.appending("outbox") }
    /// One directory for each image that could not be restored.
    public var rejected: FilePath { root.appending("rejected") }
    /// Files of network weights.
    public var weights: FilePath { root.appending("weights") }
    /// What is asked of the daemon concerning single jobs; see ``Cancellation``.
    package var requests: FilePath { root.appending("requests") }
    /// The lock of the one daemon.
    public var lock: FilePath { root.appending("dkpd.lock") }
    /// Tells everybody whether a daemon is up; see ``StateLock``.
    package var processFile: FilePath { root.appending("dkpd.pid") }

    /// How the daemon stands.
    package var status: FilePath { root.appending("status.json") }

    /// The directory of a job.
    package func job(_ id: JobID) -> FilePath { jobs.appending(id.description) }
    /// The request that a job be given up.
    package func cancellation(_ id: JobID) -> FilePath { requests.appending("cancel-\(id)") }
    /// The directory of a job that is still being made.
    package func claim(_ id: JobID) -> FilePath { jobs.appending(".\(id).new") }
    /// The directory of a job whose result lies in the outbox or in rejected, waiting to be removed.
    package func retired(_ id: JobID) -> FilePath { jobs.appending(".\(id).done") }

    /// Makes the folders that are missing and checks that renames among them can work.
    package func create(_ files: some FileSystem) throws(DaemonError) {
        do throws(FileError) {
            try makeAncestors(of: root, files)
            try makeDirectory(root, files)
            guard let device = try files.status(root)?.device else { return }
            for folder in [inbox, jobs, outbox, rejected, weights, requests] {
                try makeDirectory(folder, files)
                guard let status = try files.status(folder) else { continue }
                if folder != weights && folder != requests && status.device != device {
                    throw FileError(.improperLink, "use it with \(root.readable)", folder)
                }
            }
        } catch {
            throw DaemonError(.stateFolder, "\(error)")
        }
    }

    private func makeAncestors(of path: FilePath, _ files: some FileSystem) throws(FileError) {
        let parent = path.removingLastComponent()
        guard !parent.components.isEmpty, parent != path, try files.status(parent) == nil else { return }
        try makeAncestors(of: parent, files)
        try files.makeDirectory(parent)
    }

    /// As `ensureDirectory`, but an operator's symbolic link to a directory is welcome here: these names are not
    /// strangers'.
    private func makeDirectory(_ path: FilePath, _ files: some FileSystem) throws(FileError) {
        if try files.status(path)?.kind == .symbolicLink {
            _ = try files.entries(path)
        } else {
            try files.ensureDirectory(path)
        }
    }
}
