import Checkpointing
import Degradation
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

@Suite(.serialized) struct DiffDKPTests {
    private func settings(scale: Int, steps: Int, kernel: KernelFamily = .gaussian) -> RestorationSettings {
        var settings = RestorationSettings()
        settings.method = .diffDKP
        settings.weights = "analytic.h5"
        settings.scale = scale
        settings.diffusionSteps = steps
        settings.kernel = kernel
        settings.seed = 7
        return settings
    }

    private func kernel(_ family: KernelFamily, scale: Int, seed: UInt64 = 2) throws -> Tensor<Float> {
        let prior = try KernelPrior(settings: KernelPriorSettings(family: family, scale: scale))
        var stream = RandomStream(seed: seed, name: "true kernel")
        return prior.kernel(of: prior.draw(from: &stream))
    }

    private func degraded(_ image: Tensor<Float>, _ kernel: Tensor<Float>, scale: Int) -> Tensor<Float> {
        DegradationOperator(
            scale: scale, kernelSize: kernel.shape[0], height: image.shape[1], width: image.shape[2]
        ).apply(image: image, kernel: kernel)
    }

    /// The reverse process alone, whose result is a sample.
    private func sampling(_ settings: RestorationSettings) -> DiffusionSettings {
        var diffusion = DiffusionSettings(settings)
        diffusion.ending = nil
        return diffusion
    }

    private func run(_ process: DiffDKP) throws -> RestorationEstimate {
        while process.step < process.totalSteps { _ = try process.advance() }
        return try process.estimate()
    }

    private func greatestDifference(_ first: Tensor<Float>, _ second: Tensor<Float>) -> Float {
        zip(first.elements, second.elements).map { abs($0 - $1) }.max() ?? 0
    }

    @Test(
        .tags(.slow),
        arguments: [(2, 13, 17), (3, 9, 14), (4, 11, 7), (8, 5, 3)], RestorationSettings.DiffusionSampler.allCases)
    func `with the true kernel and a prior that knows nothing, the data term leads to a consistent image`(
        _ problem: (scale: Int, height: Int, width: Int), _ sampler: RestorationSettings.DiffusionSampler
    ) throws {
        let (height, width) = (problem.scale * problem.height, problem.scale * problem.width)
        let truth = try kernel(.motion, scale: problem.scale)
        // Without black and white, which no consistent image of so little knowledge would keep to.
        let original = try SmoothPicturePredictor(size: 48).picture(seed: 1).map { 0.3 + 0.4 * $0 }
        let observed = degraded(
            Image(colour: original, alpha: nil, bitDepth: .eight).cropped(height: height, width: width).colour, truth,
            scale: problem.scale)
        var settings = settings(scale: problem.scale, steps: 100)
        settings.diffusionSampler = sampler
        let result = try run(
            DiffDKP(
                input: observed, settings: settings, model: model(try IgnorantPredictor(), size: 32),
                diffusion: sampling(settings), oracleKernel: truth))
        #expect(result.kernel == truth)
        let difference = greatestDifference(degraded(result.image, truth, scale: problem.scale), observed)
        #expect(difference < 1.0 / 255, "\(difference)")
    }

    // MARK: Resumption

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var channels = 3
        var height = 10
        var width = 12
        var steps = 12
        var change: @Sendable (inout RestorationSettings) -> Void = { _ in }

        var testDescription: String { name }

        static let all = [
            Case(name: "one tile"),
            Case(name: "several tiles", height: 19, width: 25),
            Case(name: "smaller than the model", height: 5, width: 13),
            Case(name: "gray", channels: 1),
            Case(name: "paper's preset") { $0.preset = .paper },
            Case(name: "independent draws") { $0.sampler = .independent },
            Case(name: "DDIM") { $0.diffusionSampler = .ddim },
            Case(name: "DDIM with noise") { settings in
                settings.diffusionSampler = .ddim
                settings.eta = 0.7
            },
            Case(name: "gradient consistency") { $0.dataConsistency = .gradient },
            Case(name: "every family") { $0.kernel = .auto },
        ]
    }

    private func observed(_ which: Case) throws -> (planes: Tensor<Float>, truth: Tensor<Float>) {
        let truth = try kernel(.gaussian, scale: 2)
        let predictor = try SmoothPicturePredictor(size: 64, channels: which.channels)
        let original = predictor.picture(seed: 3).map { 0.3 + 0.4 * $0 }
        let image = Image(colour: original, alpha: nil, bitDepth: .eight)
            .cropped(height: 2 * which.height, width: 2 * which.width)
        return (degraded(image.colour, truth, scale: 2), truth)
    }

    @Test(.tags(.slow), arguments: Case.all)
    func `resumed at any steps, it computes the same numbers`(_ which: Case) throws {
        var settings = settings(scale: 2, steps: which.steps)
        which.change(&settings)
        let input = try observed(which).planes
        let model = model(try SmoothPicturePredictor(size: 20, predictsVariance: true), size: 20)
        let whole = try DiffDKP(input: input, settings: settings, model: model)
        var records: [StepRecord] = []
        while whole.step < whole.totalSteps { records.append(try whole.advance()) }
        let expected = try whole.estimate()
        #expect(expected.image.shape == [which.channels, 2 * which.height, 2 * which.width])

        let seed = UInt64.random(in: 0...UInt64.max)
        var stream = RandomStream(seed: seed, name: "stops")
        // Before chains open to all families, at 0.3 of the steps, after, at the end of the reverse process, in the rounds
        // of the splitting, and at the very end.
        let ending = whole.totalSteps - which.steps
        var stops = [1 + stream.index(below: 3), 5 + stream.index(below: which.steps - 6), which.steps]
        if ending > 0 { stops += [which.steps + 1 + stream.index(below: ending - 1), whole.totalSteps] }
        var process = try DiffDKP(input: input, settings: settings, model: model)
        for stop in stops {
            while process.step < stop {
                let record = try process.advance()
                let wanted = records[record.step - 1]
                // A kernel's loss that is not there is no number, which equals nothing.
                #expect(
                    record.imageLoss == wanted.imageLoss && record.phase == wanted.phase
                        && record.kernelLoss.bitPattern == wanted.kernelLoss.bitPattern,
                    "step \(record.step), stopped at \(stops), seed \(seed)")
            }
            let file = try SnapshotFile.encode(try process.snapshot(), name: "checkpoint of step \(stop)")
            let read = try SnapshotFile.decode(file, name: "checkpoint of step \(stop)")
            process = try DiffDKP(resuming: read, input: input, settings: settings, model: model)
            #expect(process.step == stop)
        }
        #expect(try process.estimate() == expected)
    }

    @Test(.tags(.slow)) func `the splitting at the end is nearer to the original than the sample`() throws {
        let predictor = try SmoothPicturePredictor(size: 64)
        let original = predictor.picture(seed: 5)
        let truth = try kernel(.gaussian, scale: 4)
        let input = degraded(original, truth, scale: 4)
        let settings = settings(scale: 4, steps: 50)
        let model = model(predictor, size: 64)
        let sample = try run(
            DiffDKP(
                input: input, settings: settings, model: model, diffusion: sampling(settings), oracleKernel: truth))
        let mean = try run(DiffDKP(input: input, settings: settings, model: model, oracleKernel: truth))
        #expect(meanSquaredError(mean.image, original) < meanSquaredError(sample.image, original))
    }

    @Test func `other weights than the work was begun with are refused by name`() throws {
        let settings = settings(scale: 2, steps: 4)
        let input = try observed(Case.all[0]).planes
        let predictor = try IgnorantPredictor()
        let begun = try DiffDKP(input: input, settings: settings, model: model(predictor, size: 20, sha256: "aaaa"))
        _ = try begun.advance()
        let snapshot = try begun.snapshot()
        let error = #expect(throws: RestorationError.self) {
            try DiffDKP(
                resuming: snapshot, input: input, settings: settings, model: model(predictor, size: 20, sha256: "bbbb"))
        }
        #expect(error?.code == .badSettings)
        #expect(error?.message.contains("analytic.h5") == true && error?.message.contains("bbbb") == true)
    }

    @Test func `a worker refuses other weights rather than begin anew`() throws {
        try withTemporaryDirectory { folder in
            var settings = settings(scale: 2, steps: 6)
            settings.checkpointInterval = 0.1
            let job = try makeJob(in: folder, settings: settings)
            func worker(_ sha256: String, stop: StopRequest) -> Worker {
                Worker(
                    job, stop: stop, memory: nil,
                    makeProcess: { input, snapshot in
                        let model = model(try IgnorantPredictor(), size: 20, sha256: sha256)
                        guard let snapshot else {
                            return try DiffDKP(input: input.planes, settings: input.settings, model: model)
                        }
                        return try DiffDKP(
                            resuming: snapshot, input: input.planes, settings: input.settings, model: model)
                    },
                    observe: { event in
                        if case .progress(let progress) = event, progress.step == 2 { stop.request() }
                    })
            }
            #expect(try worker("aaaa", stop: StopRequest()).run() == .interrupted(step: 2))
            let failure = #expect(throws: FailureReport.self) { try worker("bbbb", stop: StopRequest()).run() }
            #expect(failure?.exitStatus == .badSettings)
            #expect(try worker("aaaa", stop: StopRequest()).run() == .interrupted(step: 2))
        }
    }

    // MARK: Tiles, gray images, kernels

    @Test(.tags(.slow)) func `tiles leave no seam where the network looks at single pixels`() throws {
        final class PixelPredictor: NoisePredictor {
            let channels = 3
            let predictsVariance = false
            let classCount: Int? = nil
            func predict(_ image: Tensor<Float>, timestep: Double, label _: Int?) throws -> Tensor<Float> {
                let share = Float(timestep / 1000)
                return image.map { share * $0 - 0.1 * (1 - share) * $0 * $0 }
            }
        }
        let (input, truth) = try observed(Case(name: "tiles", height: 19, width: 25))
        let settings = settings(scale: 2, steps: 20)
        let tiled = try run(
            DiffDKP(
                input: input, settings: settings, model: model(PixelPredictor(), size: 16),
                diffusion: sampling(settings), oracleKernel: truth))
        let whole = try run(
            DiffDKP(
                input: input, settings: settings, model: model(PixelPredictor(), size: 38),
                diffusion: sampling(settings), oracleKernel: truth))
        expectClose(tiled.image, whole.image, absolute: 1e-3)
    }

    @Test func `a gray image is restored as equal colours, averaged`() throws {
        let (input, truth) = try observed(Case(name: "gray", channels: 1))
        let settings = settings(scale: 2, steps: 50)
        let result = try run(
            DiffDKP(
                input: input, settings: settings, model: model(try IgnorantPredictor(), size: 20),
                diffusion: sampling(settings), oracleKernel: truth))
        #expect(result.image.shape == [1, 20, 24])
        #expect(greatestDifference(degraded(result.image, truth, scale: 2), input) < 1.0 / 255)
    }

    @Test(.tags(.slow), arguments: [KernelFamily.gaussian, .motion])
    func `with a prior that knows the picture's kind, the kernel is found from the input alone`(
        _ family: KernelFamily
    ) throws {
        let predictor = try SmoothPicturePredictor(size: 64)
        let original = predictor.picture(seed: 5)
        let truth = try kernel(family, scale: 2)
        let process = try DiffDKP(
            input: degraded(original, truth, scale: 2),
            settings: settings(scale: 2, steps: 100, kernel: family), model: model(predictor, size: 64))
        let before = try kernelPSNR(process.kernel, truth)
        let result = try run(process)
        #expect(try kernelPSNR(result.kernel, truth) > max(35, before + 3))
        #expect(result.kernelCategory?.rawValue == family.rawValue)
    }

    // MARK: Models that do not suit

    @Test func `a class-conditional model wants one of its classes, and no other model any`() throws {
        let input = try observed(Case.all[0]).planes
        let conditional = model(try SmoothPicturePredictor(size: 20, classCount: 10), size: 20)
        let plain = model(try IgnorantPredictor(), size: 20)
        var settings = settings(scale: 2, steps: 2)
        func code(_ model: DiffusionModel) -> RestorationError.Code? {
            do {
                _ = try DiffDKP(input: input, settings: settings, model: model)
                return nil
            } catch {
                return (error as? RestorationError)?.code
            }
        }
        #expect(code(conditional) == .badSettings)
        settings.classLabel = 9
        #expect(code(conditional) == nil)
        #expect(code(plain) == .badSettings)
        settings.classLabel = 10
        #expect(code(conditional) == .badSettings)
    }

    @Test func `more steps than the training had are refused`() throws {
        let input = try observed(Case.all[0]).planes
        #expect(throws: DiffusionError.self) {
            try DiffDKP(
                input: input, settings: settings(scale: 2, steps: 1001), model: model(try IgnorantPredictor(), size: 20)
            )
        }
    }

    @Test func `an oracle kernel of another size is refused`() throws {
        let input = try observed(Case.all[0]).planes
        #expect(throws: RestorationError.self) {
            try DiffDKP(
                input: input, settings: settings(scale: 2, steps: 2), model: model(try IgnorantPredictor(), size: 20),
                oracleKernel: Tensor(shape: [5, 5], repeating: 0.04))
        }
    }
}
