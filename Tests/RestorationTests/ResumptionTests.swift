import Checkpointing
import Foundation
import Imaging
import Jobs
import KernelFamilies
import KernelPrior
import Restoration
import Tensors
import TestSupport
import Testing

/// DIP-DKP on a picture so small that the network's smallest map is 2 x 2 pixels.
@Suite(.serialized) struct ResumptionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var precision: RestorationSettings.Precision
        var preset: RestorationSettings.Preset
        var sampler: RestorationSettings.Sampler?
        var kernel: KernelFamily?

        var testDescription: String {
            let family = kernel.map { "family \($0.rawValue)" } ?? "the preset's family"
            return "\(precision), \(preset), \(sampler.map(\.rawValue) ?? "the preset's sampler"), \(family)"
        }

        static let all: [Case] = [
            Case(precision: .f32, preset: .default, sampler: nil),
            Case(precision: .bf16, preset: .default, sampler: nil),
            Case(precision: .bf16, preset: .default, sampler: nil, kernel: .free),
            Case(precision: .f32, preset: .default, sampler: nil, kernel: .motion),
            Case(precision: .f32, preset: .default, sampler: .independent),
            Case(precision: .f32, preset: .paper, sampler: nil),
            Case(precision: .bf16, preset: .paper, sampler: .metropolis),
        ]
    }

    /// Chains open to all families, and the free kernel begins, at the sampling before step 10; images are averaged from step 14 on.
    private static let steps = 16
    private static let firstOpenStep = 10
    private static let firstAveragedStep = 14

    @Test(.tags(.slow), arguments: Case.all)
    func `resumed at any steps, it computes the same numbers`(_ which: Case) throws {
        var settings = RestorationSettings()
        settings.scale = 2
        settings.steps = Self.steps
        settings.precision = which.precision
        settings.preset = which.preset
        settings.sampler = which.sampler
        settings.kernel = which.kernel
        settings.noise = 0
        var dip = DIPSettings(settings)
        if dip.averagedShare > 0 { dip.averagedShare = 0.125 }
        if dip.kernelEstimation.coarseShare > 0 { dip.kernelEstimation.coarseShare = 0.5 }
        let input = picture(height: 17, width: 18).colour

        let whole = try DIPDKP(input: input, settings: settings, dip: dip)
        var records: [StepRecord] = []
        while whole.step < whole.totalSteps { records.append(try whole.advance()) }
        let expected = try whole.estimate()

        let seed = UInt64.random(in: 0...UInt64.max)
        var stream = RandomStream(seed: seed, name: "stops")
        // Before the chains open, after, and among the averaged images.
        let stops = [
            1 + stream.index(below: Self.firstOpenStep - 1),
            Self.firstOpenStep + 1 + stream.index(below: Self.firstAveragedStep - Self.firstOpenStep - 1),
            Self.firstAveragedStep + 1,
        ]
        var process = try DIPDKP(input: input, settings: settings, dip: dip)
        for stop in stops + [Self.steps] {
            while process.step < stop {
                let record = try process.advance()
                let wanted = records[record.step - 1]
                #expect(record == wanted, "step \(record.step), stopped at \(stops), seed \(seed)")
            }
            guard stop < Self.steps else { break }
            let saved = try process.snapshot()
            let file = try SnapshotFile.encode(saved, name: "checkpoint of step \(stop)")
            let read = try SnapshotFile.decode(file, name: "checkpoint of step \(stop)")
            process = try DIPDKP(resuming: read, input: input, settings: settings, dip: dip)
            #expect(process.step == stop)
            #expect(try process.snapshot() == saved, "what was restored is not what was saved at step \(stop)")
        }
        let found = try process.estimate()
        #expect(bits(found.image) == bits(expected.image), "images differ, stopped at \(stops), seed \(seed)")
        #expect(bits(found.kernel) == bits(expected.kernel), "kernels differ, stopped at \(stops), seed \(seed)")
    }

    @Test(.tags(.slow)) func `it stops where the noise is all that is left, resumed or not`() throws {
        var settings = RestorationSettings()
        settings.scale = 2
        settings.steps = 16
        settings.precision = .f32
        settings.kernel = .gaussian
        settings.noise = 0
        let input = picture(height: 17, width: 18).colour
        let whole = try DIPDKP(input: input, settings: settings)
        let losses = try (0..<10).map { _ in try whole.advance().kernelLoss }
        settings.noise = 255 * 1.0001 * (losses.dropFirst(3).min() ?? 0).squareRoot()
        let process = try DIPDKP(input: input, settings: settings)
        var halfway = try process.snapshot()
        while process.step < process.totalSteps {
            if process.step == 2 { halfway = try process.snapshot() }
            _ = try process.advance()
        }
        #expect(process.step <= 10)
        let estimate = try process.estimate()
        let finished = try DIPDKP(resuming: try process.snapshot(), input: input, settings: settings)
        #expect(finished.step == finished.totalSteps)
        let resumed = try DIPDKP(resuming: halfway, input: input, settings: settings)
        while resumed.step < resumed.totalSteps { _ = try resumed.advance() }
        #expect(resumed.step == process.step)
        #expect(try bits(resumed.estimate().image) == bits(estimate.image))
    }

    @Test func `a snapshot of another size is refused by name`() throws {
        var settings = RestorationSettings()
        settings.scale = 2
        settings.steps = 2
        settings.precision = .f32
        let process = try DIPDKP(input: picture(height: 17, width: 18).colour, settings: settings)
        let snapshot = try process.snapshot()
        let error = try #require(throws: CheckpointError.self) {
            try DIPDKP(resuming: snapshot, input: picture(height: 18, width: 18).colour, settings: settings)
        }
        #expect(error.message.contains("dip/input"))
    }

    private func bits(_ tensor: Tensor<Float>) -> [UInt32] { tensor.elements.map(\.bitPattern) }
}
