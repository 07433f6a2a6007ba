import Checkpointing
import Diffusion
import Failures
import Files
import HDF5
import Imaging
import Jobs
import KernelPrior
import Restoration
import SystemPackage
import Testing

/// Every kind of error and the exit code that stands for it: what scripts and the daemon rely on.
@Suite struct `Exit codes` {
    // Testing has an ExitStatus too.
    private typealias Status = Failures.ExitStatus

    /// Compares a table with all codes of a kind.
    private func check<Code: CaseIterable & Hashable>(
        _ table: [Status: [Code]], _ status: (Code) -> Status, location: SourceLocation = #_sourceLocation
    ) {
        #expect(Set(table.values.joined()) == Set(Code.allCases), "the table misses a code", sourceLocation: location)
        for (expected, codes) in table {
            for code in codes { #expect(status(code) == expected, "\(code)", sourceLocation: location) }
        }
    }

    @Test(arguments: [
        (FileError(.notARegularFile, "x", "is a directory") as any Failure, "not_a_regular_file"),
        (HDF5Error(.cannotOpen, "x"), "hdf5_cannot_open"), (WeightsError(.wrongShape, "x"), "weights_wrong_shape"),
        (RestorationError(.needsTooMuchMemory, "x"), "needs_too_much_memory"),
        (RestorationError(.busy, "x"), "busy"), (CheckpointError(.newerVersion, "x"), "checkpoint_newer_version"),
    ])
    func `have a name beside them that scripts may compare`(_ error: any Failure, _ name: String) {
        #expect(FailureReport(error).code == name)
    }

    @Test func `of jobs and commands`() {
        check(
            [
                .usage: [RestorationError.Code.usage], .badInput: [.badInput, .needsTooMuchMemory],
                .noInput: [.noInput], .unavailable: [.unavailable, .weightsNotFound],
                .internalError: [.internalError, .notFinite], .cannotCreate: [.cannotCreate],
                .inputOutput: [.inputOutput, .busy], .superseded: [.superseded], .badSettings: [.badSettings],
            ]
        ) { FailureReport(RestorationError($0, "x")).exitStatus }
    }

    @Test func `of files`() {
        check([
            .noInput: [FileError.Code.notFound, .notReadable], .badInput: [.notARegularFile, .tooLarge],
            .cannotCreate: [.exists, .cannotCreate], .inputOutput: [.noSpace, .exhausted, .inputOutput],
        ]) { $0.exitStatus }
    }

    @Test func `of images`() {
        check([
            .noInput: [ImageError.Code.notFound, .notReadable],
            .badInput: [.notAnImage, .truncated, .corrupt, .tooLarge, .unsupported, .notComparable],
            .inputOutput: [.cannotRead], .cannotCreate: [.cannotWrite],
        ]) { $0.exitStatus }
    }

    @Test func `of checkpoints and other HDF5 files`() {
        check(
            [
                .badInput: [CheckpointError.Code.missing, .wrongType, .wrongShape, .damaged, .wrongFormat],
                .noInput: [.notFound, .notReadable], .cannotCreate: [.permissionDenied],
                .unavailable: [.unavailable, .newerVersion], .inputOutput: [.noSpace, .exhausted, .inputOutput],
                .internalError: [.invalidPath],
            ]
        ) { FailureReport(CheckpointError($0, "x")).exitStatus }
        check([
            .badInput: [HDF5Error.Code.cannotOpen, .notFound, .wrongType, .tooLarge, .unsupported, .readFailed],
            .inputOutput: [.writeFailed], .internalError: [.invalidArgument],
        ]) { $0.exitStatus }
    }

    @Test func `of methods and models`() {
        check([
            .unavailable: [WeightsError.Code.notFound],
            .badInput: [.damaged, .wrongFormat, .badConfiguration, .missing, .unexpected, .wrongShape],
        ]) { $0.exitStatus }
        check([
            .badSettings: [DiffusionError.Code.invalidSetting], .badInput: [.unusableCheckpoint, .unusableNetwork],
        ]) { $0.exitStatus }
        check([.badSettings: [KernelPriorError.Code.invalidSetting], .badInput: [.unusableCheckpoint]]) {
            $0.exitStatus
        }
    }

    @Test func `of what is not known are internal errors`() {
        struct Unknown: Error {}
        #expect(FailureReport(Unknown()).exitStatus == .internalError)
    }

    @Test func `are those of sysexits and no others`() {
        #expect(Status.allCases.map(\.rawValue).sorted() == [0, 1, 64, 65, 66, 69, 70, 73, 74, 75, 77, 78])
    }
}
