import ArgumentParser
import Failures
import Jobs
import Restoration

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Tells what a checkpoint, result, kernel or weights file holds, and whether it is intact.",
        discussion:
            "Exit code \(ExitStatus.badInput.rawValue) for a damaged file, and for an example that comes out otherwise."
    )

    @Argument(help: ArgumentHelp("An HDF5 file.", valueName: "FILE.h5[#GROUP]"))
    var file: String
    @Flag(help: "Print JSON.")
    var json = false
    @Flag(help: "List every dataset of a weights file too.")
    var datasets = false
    @Flag(help: "Run the example that a weights file carries and compare the answer with the original's.")
    var runExample = false
    @Option(help: "The arithmetic of the example: auto, f32 or bf16.")
    var precision = RestorationSettings.Precision.f32

    func run() throws {
        let location = WeightsLocation(file).installed
        if runExample { return try compareExample(location) }
        let inspection = try FileInspection(location.path)
        if json {
            printJSON(try inspection.json())
        } else {
            print(inspection.words(listsDatasets: datasets))
        }
        if inspection.isIntact == false { throw ExitCode(ExitStatus.badInput.rawValue) }
    }

    private func compareExample(_ location: WeightsLocation) throws {
        let example = try WeightsExample(location)
        let comparison = try example.compare(DiffusionModel(location, precision: precision))
        print("\(location): \(comparison.words)")
        // In single precision the order of sums is all that differs; with bfloat16, the rounding of each operand.
        let allowed = precision == .f32 ? 1e-4 : 2e-2
        if !(comparison.relativeError <= allowed) {
            Terminal.printError("dkp: more than the relative error of \(allowed) that is allowed")
            throw ExitCode(ExitStatus.badInput.rawValue)
        }
    }
}
