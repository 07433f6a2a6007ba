import ArgumentParser
import Restoration

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Tells what a checkpoint, result, kernel or weights file holds, and whether it is intact.",
        discussion: "Exit code 65 for a damaged file.")

    @Argument(help: ArgumentHelp("An HDF5 file.", valueName: "FILE.h5"))
    var file: String
    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let inspection = try FileInspection(file)
        print(json ? try inspection.json() : inspection.words, terminator: json ? "" : "\n")
        if inspection.isIntact == false { throw ExitCode(ExitStatus.badInput.rawValue) }
    }
}
