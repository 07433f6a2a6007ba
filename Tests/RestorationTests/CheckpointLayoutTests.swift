import Checkpointing
import Foundation
import HDF5
import Imaging
import Jobs
import Restoration
import Tensors
import TestSupport
import Testing

/// Guards the number that says which checkpoints a version of the program goes on from.
@Suite(.tags(.slow)) struct `The layout of checkpoints` {
    private static let fixture = "checkpoint-layout.txt"

    @Test func `is the one of the compatibility number`() throws {
        let found = try (header() + dip() + diffusion() + pnp()).joined(separator: "\n") + "\n"
        let expected = try textFixture(Self.fixture)
        guard found != expected else { return }
        let (old, new) = (Set(expected.split(separator: "\n")), Set(found.split(separator: "\n")))
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent(Self.fixture).path
        try found.write(toFile: copy, atomically: true, encoding: .utf8)
        Issue.record(
            """
            The layout of a checkpoint changed: raise `CheckpointHeader.compatibility` (unless that was done since the \
            last release) and write the fixture anew: run this again, then
            cp \(copy) Tests/TestSupport/Vectors/\(Self.fixture)
            gone: \(old.subtracting(new).sorted())
            new: \(new.subtracting(old).sorted())
            """)
    }

    /// What every checkpoint has, as a worker writes it: the number itself, the header and the trace.
    private func header() throws -> [String] {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory, settings: toySettings(steps: 3))
            let stop = StopRequest()
            let outcome = try toyWorker(job, stop: stop) { _ in stop.request() }.run()
            #expect(outcome == .interrupted(step: 1))
            let snapshot = try #require(try CheckpointStore(directory: job.path).latest()).snapshot
            return ["compatibility \(try snapshot.int("compatibility"))"]
                + lines(of: snapshot, "every checkpoint").filter { !$0.contains("toy") }
        }
    }

    private func settings(_ method: RestorationSettings.Method, steps: Int) -> RestorationSettings {
        var settings = RestorationSettings()
        settings.method = method
        settings.scale = 2
        settings.steps = steps
        settings.precision = .f32
        settings.seed = 7
        return settings
    }

    private func dip() throws -> [String] {
        try lines(DIPDKP(input: picture().colour, settings: settings(.dipDKP, steps: 5)), of: "dip-dkp")
    }

    private func diffusion() throws -> [String] {
        var settings = settings(.diffDKP, steps: 3)
        settings.weights = "analytic.h5"
        settings.diffusionSteps = 3
        let process = try DiffDKP(
            input: picture().colour, settings: settings, model: model(try IgnorantPredictor(), size: 32))
        return try lines(process, of: "diff-dkp")
    }

    private func pnp() throws -> [String] {
        let settings = settings(.pnpDKP, steps: 4)
        var pnp = PnPSettings(settings)
        pnp.furtherRounds = 1
        pnp.stepsPerRound = 2
        pnp.greatestEnergyRatio = 1e9
        let process = try PnPDKP(
            input: picture().colour, settings: settings, prior: TrainedPrior(model(try IgnorantPredictor(), size: 20)),
            pnp: pnp)
        return try lines(process, of: "pnp-dkp")
    }

    /// What the snapshots of a process have, after the steps of each phase.
    private func lines(_ process: any RestorationProcess, of method: String) throws -> [String] {
        var lines: Set<String> = []
        while process.step < process.totalSteps {
            let phase = try process.advance().phase
            lines.formUnion(self.lines(of: try process.snapshot(), "\(method), \(phase)"))
        }
        return lines.sorted()
    }

    private func lines(of snapshot: Snapshot, _ title: String) -> [String] {
        let datasets = snapshot.datasets.map { path, dataset in
            "\(title): dataset \(path), rank \(dataset.shape.count), \(dataset.values.typeName)"
        }
        let attributes = snapshot.attributes.map { path, value in "\(title): attribute \(path), \(type(of: value))" }
        return (datasets + attributes).sorted()
    }

    private func type(of value: AttributeValue) -> String {
        switch value {
        case .int: "int"
        case .unsigned: "unsigned"
        case .double: "double"
        case .ints: "ints"
        case .doubles: "doubles"
        case .string: "string"
        }
    }
}
