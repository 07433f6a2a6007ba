import ArgumentParser
import Daemon
import Files
import Foundation
import SystemPackage

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Gives a job up: it is stopped, and its image goes to rejected.",
        discussion: """
            Works with the daemon up or down; where it is down and runs as another user, the job is given up when it \
            starts. The image can be put back with dkp retry.
            """)

    @Argument(help: jobHelp)
    var job: String
    @OptionGroup
    var state: StateOptions

    /// Longer than a worker may take to stop.
    private static let patience = 15.0

    func run() throws {
        let folder = try state.folder()
        let files = LocalFileSystem()
        let found = try JobFinder(folder).find(job, in: [.jobs])
        guard let id = found.id.flatMap({ JobID($0) }) else { return }
        try Cancellation.request(id, by: UserAccount.current.name, in: folder, files)
        if StateLock.holder(folder) == nil {
            // What another user, root too, made here the daemon and its operators could not change.
            guard try files.status(folder.root)?.owner == geteuid() else {
                print("asked for; carried out when the daemon starts")
                return
            }
            if let place = try Cancellation.carryOut(id, name: found.name, in: folder, files) {
                print("cancelled: \(place.string)")
            } else {
                print("finished already: its result is put into the outbox when the daemon starts")
            }
            return
        }
        let end = Date().addingTimeInterval(Self.patience)
        while try files.status(folder.job(id)) != nil {
            guard Date() < end else {
                print("asked for; the daemon has not carried it out yet")
                return
            }
            Thread.sleep(forTimeInterval: 0.1)
        }
        let place = try? JobFinder(folder).find(id.description, in: [.rejected, .outbox])
        print(
            place.map { $0.place == .rejected ? "cancelled: \($0.path.string)" : "finished already: \($0.path.string)" }
                ?? "cancelled")
    }
}
