import ArgumentParser
import Daemon
import SystemPackage

/// Which daemon's folder a command is about.
struct StateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The daemon's state folder. (default: DKP_STATE_DIR, or state_dir of /etc/dkpd/dkpd.yaml, or /var/lib/dkpd)",
            valueName: "DIR"))
    var stateDir: String?

    /// The folder, which must be there.
    func folder() throws -> StateFolder { try StateFolder.find(stateDir) }
}

/// What the argument JOB may be.
let jobHelp = ArgumentHelp(
    "A job's id or the beginning of it, the image's name or the result's name.", valueName: "JOB")
