import Checkpointing
import Diffusion
import Failures
import Foundation
import Imaging
import Jobs
import KernelFamilies
import KernelPrior
import Restoration
import Tensors
import TestSupport
import Testing

/// A toy whose estimate is spoilt at the end.
private final class SpoilingProcess: RestorationProcess {
    private let base: ToyProcess
    private let spoil: (inout RestorationEstimate) -> Void

    init(_ base: ToyProcess, spoil: @escaping (inout RestorationEstimate) -> Void) {
        self.base = base
        self.spoil = spoil
    }

    var step: Int { base.step }
    var totalSteps: Int { base.totalSteps }
    func advance() throws -> StepRecord { try base.advance() }
    func snapshot() throws -> Snapshot { try base.snapshot() }

    func estimate() throws -> RestorationEstimate {
        var estimate = try base.estimate()
        spoil(&estimate)
        return estimate
    }
}

@Suite(.serialized) struct `Numbers that are not finite` {
    private func settings(_ preset: RestorationSettings.Preset, steps: Int) -> RestorationSettings {
        var settings = RestorationSettings()
        settings.scale = 2
        settings.steps = steps
        settings.preset = preset
        settings.precision = .f32
        return settings
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], ["image", "kernel"])
    func `are no result, but a failure with the reason`(_ number: Float, _ part: String) throws {
        try withTemporaryDirectory { directory in
            let job = try makeJob(in: directory, settings: toySettings(steps: 3))
            let worker = Worker(
                job, memory: nil,
                makeProcess: { input, snapshot in
                    SpoilingProcess(try ToyProcess(input, resuming: snapshot)) { estimate in
                        if part == "image" { estimate.image[7] = number } else { estimate.kernel[3] = number }
                    }
                })
            let failure = try #require(throws: FailureReport.self) { try worker.run() }
            #expect(failure.code == "not_finite" && failure.exitStatus == .internalError)
            #expect(!job.isFinished)
            #expect(try text(job.errorPath).contains("not_finite"))
        }
    }

    @Test(arguments: RestorationSettings.Preset.allCases)
    func `in the image network leave the best output before them, with a note`(
        _ preset: RestorationSettings.Preset
    ) throws {
        let (input, settings) = (picture(height: 17, width: 18).colour, settings(preset, steps: 20))
        let sound = try DIPDKP(input: input, settings: settings)
        for _ in 0..<4 { _ = try sound.advance() }
        var snapshot = try sound.snapshot()
        let parameters = try snapshot.floats("dip/parameters")
        snapshot.set("dip/parameters", Dataset(parameters.map { _ in Float.nan }))
        let process = try DIPDKP(resuming: snapshot, input: input, settings: settings)
        while process.step < process.totalSteps {
            let record = try process.advance()
            #expect(!record.imageLoss.isFinite)
        }
        let estimate = try process.estimate()
        #expect(estimate.image.isFinite && estimate.kernel.isFinite)
        #expect(try estimate.image == snapshot.tensor("dip/best/image"))
        #expect(estimate.note?.contains("diverged after step") == true)
        // What is saved of such a run gives the same again.
        let resumed = try DIPDKP(resuming: try process.snapshot(), input: input, settings: settings)
        #expect(try resumed.estimate() == estimate)
    }

    @Test func `from the first step on are a failure`() throws {
        var input = picture(height: 17, width: 18).colour
        input[20] = .nan
        let process = try DIPDKP(input: input, settings: settings(.default, steps: 2))
        while process.step < process.totalSteps { _ = try process.advance() }
        let error = try #require(throws: RestorationError.self) { try process.estimate() }
        #expect(error.code == .notFinite)
    }

    @Test func `end a reverse process at once`() throws {
        var settings = settings(.default, steps: 2)
        settings.method = .diffDKP
        settings.weights = "analytic.h5"
        settings.diffusionSteps = 4
        var input = picture(height: 12, width: 12).colour
        input[20] = .nan
        let process = try DiffDKP(input: input, settings: settings, model: model(try IgnorantPredictor(), size: 20))
        let error = try #require(throws: RestorationError.self) { _ = try process.advance() }
        #expect(error.code == .notFinite)
        #expect(process.step == 0)
    }

    @Test func `are written into no picture and no kernel file`() throws {
        try withTemporaryDirectory { directory in
            var planes = picture().colour
            planes[5] = .nan
            let error = try #require(throws: ImageError.self) { try Image(colour: planes).pngData() }
            #expect(error.code == .cannotWrite)
            let kernel = Tensor<Double>(shape: [3, 3], repeating: .infinity)
            let refusal = try #require(throws: RestorationError.self) {
                try KernelFile.write(kernel, to: "\(directory)/k.h5")
            }
            #expect(refusal.code == .notFinite)
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/k.h5"))
        }
    }

    @Test func `in a loss move no chain for good`() throws {
        let prior = try KernelPrior(settings: KernelPriorSettings(family: .auto, scale: 2))
        var sampler = try MetropolisSampler(prior: prior, seed: 3)
        var stream = RandomStream(seed: 9, name: "truth")
        let truth = prior.kernel(of: prior.draw(from: &stream))
        func sample(_ loss: @escaping (Tensor<Float>) -> Double) -> KernelSample {
            sampler.sample(KernelLossFunction(count: 100, loss), noiseVariance: nil)
        }
        _ = sample { _ in .nan }
        var last = sample { _ in .nan }
        for _ in 0..<5 {
            last = sample { kernel in
                zip(kernel.elements, truth.elements).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
            }
        }
        #expect(last.kernel.isFinite && last.losses.allSatisfy(\.isFinite))
    }
}
