import Checkpointing
import Degradation
import Diffusion
import Foundation
import Imaging
import Jobs
import KernelFamilies
import KernelPrior
import Restoration
import Tensors
import TestSupport
import Testing

@Suite(.serialized) struct `PnP-DKP` {
    private func settings(scale: Int = 2, steps: Int = 16) -> RestorationSettings {
        var settings = RestorationSettings()
        settings.method = .pnpDKP
        settings.scale = scale
        settings.steps = steps
        settings.precision = .f32
        settings.seed = 7
        return settings
    }

    /// Settings of short rounds, with a search that may end after 8 of its steps.
    private func short(
        _ settings: RestorationSettings, tolerance: Double, greatestEnergyRatio: Double = 0.8
    ) -> PnPSettings {
        var short = PnPSettings(settings)
        short.furtherRounds = 1
        short.stepsPerRound = 6
        short.greatestEnergyRatio = greatestEnergyRatio
        short.greatestEnergyRatioOfPath = greatestEnergyRatio
        short.greatestEnergyRatioAtLimit = greatestEnergyRatio
        short.convergence.earliestShare = 0.25
        short.convergence.interval = 2
        short.convergence.looks = 2
        short.convergence.tolerance = tolerance
        short.search.kernelEstimation.coarseShare = 0.2
        return short
    }

    private func kernel(scale: Int) throws -> Tensor<Float> {
        let prior = try KernelPrior(settings: KernelPriorSettings(family: .gaussian, scale: scale))
        var stream = RandomStream(seed: 2, name: "true kernel")
        return prior.kernel(of: prior.draw(from: &stream))
    }

    private func degraded(_ image: Tensor<Float>, _ kernel: Tensor<Float>, scale: Int) -> Tensor<Float> {
        DegradationOperator(
            scale: scale, kernelSize: kernel.shape[0], height: image.shape[1], width: image.shape[2]
        ).apply(image: image, kernel: kernel)
    }

    private func squaredError(_ image: Tensor<Float>, _ truth: Tensor<Float>) -> Double {
        zip(image.elements, truth.elements).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
            / Double(truth.count)
    }

    private func bits(_ tensor: Tensor<Float>) -> [UInt32] { tensor.elements.map(\.bitPattern) }

    @Test(arguments: [2, 4])
    func `with the true kernel and a prior that knows the picture's kind, much is won`(_ scale: Int) throws {
        // The denoiser sees eight pixels more on every side.
        let predictor = try SmoothPicturePredictor(size: 64)
        let truth = Image(colour: predictor.picture(seed: 5), alpha: nil, bitDepth: .eight)
            .cropped(height: 48, width: 48).colour
        let kernel = try kernel(scale: scale)
        let observed = degraded(truth, kernel, scale: scale)
        let process = try PnPDKP(
            input: observed, settings: settings(scale: scale), prior: TrainedPrior(model(predictor, size: 64)),
            oracleKernel: kernel)
        #expect(process.totalSteps == 25)
        while process.step < process.totalSteps { _ = try process.advance() }
        let result = try process.estimate()
        #expect(result.kernel == kernel)
        // The border, where the picture does not go on around it, is worth less.
        let bicubic = observed.resampledBicubic(height: 48, width: 48)
        #expect(squaredError(result.image, truth) < 0.9 * squaredError(bicubic, truth))
        #expect(squaredError(degraded(result.image, kernel, scale: scale), observed).squareRoot() < 3 / 255)
    }

    @Test func `a gray image is restored as equal colours, averaged`() throws {
        let kernel = try kernel(scale: 2)
        let process = try PnPDKP(
            input: picture(channels: 1).colour, settings: settings(),
            prior: TrainedPrior(model(try IgnorantPredictor(), size: 20)), oracleKernel: kernel)
        while process.step < process.totalSteps { _ = try process.advance() }
        #expect(try process.estimate().image.shape == [1, 28, 36])
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var precision: RestorationSettings.Precision
        /// How near the search's kernels have to be for it to end early.
        var tolerance: Double
        /// What the choice after the rounds with one kernel each falls on.
        var choice: KernelCategory
        var testDescription: String {
            "\(precision), search \(tolerance > 1 ? "ends early" : "goes to its end"), \(choice) chosen"
        }
        static let all = [
            Case(precision: .f32, tolerance: 1e9, choice: .free),
            Case(precision: .f32, tolerance: 0, choice: .gaussian),
            Case(precision: .bf16, tolerance: 1e9, choice: .gaussian),
        ]
    }

    @Test(.tags(.slow), arguments: Case.all)
    func `resumed at any steps of any phase, it computes the same numbers`(_ which: Case) throws {
        var settings = settings()
        settings.precision = which.precision
        let pnp = short(
            settings, tolerance: which.tolerance, greatestEnergyRatio: which.choice == .free ? 1e9 : 0)
        let input = picture(height: 17, width: 18).colour
        // Opened once: reading it takes most of the time.
        let prior = TrainedPrior(
            try DiffusionModel(WeightsLocation("natural-images"), precision: which.precision))
        let whole = try PnPDKP(input: input, settings: settings, prior: prior, pnp: pnp)
        #expect(whole.totalSteps == 16 + 18 + 1)
        var records: [StepRecord] = []
        while whole.step < whole.totalSteps { records.append(try whole.advance()) }
        let expected = try whole.estimate()
        let searchSteps = which.tolerance > 1 ? 8 : 16
        // A Gaussian is not refined: there is no further round.
        let roundSteps = which.choice == .free ? 18 : 12
        #expect(whole.totalSteps == searchSteps + roundSteps + 1)
        #expect(expected.kernelCategory == which.choice)
        #expect(expected.kernelConfidence?.runnerUp == (which.choice == .free ? .gaussian : .free))
        #expect(expected.kernelConfidence?.energyRatio != nil)
        #expect(records.count { $0.phase == "finding the kernel" } == searchSteps)
        #expect(
            records.suffix(7).map(\.phase).dropLast().allSatisfy { $0 == "restoring, round \(roundSteps / 6)" })

        let seed = UInt64.random(in: 0...UInt64.max)
        var stream = RandomStream(seed: seed, name: "stops")
        // In the search; at its end; in the first and the second half of a round; between the rounds; at the choice, in
        // what follows it and before the last denoising.
        let stops = [
            1 + stream.index(below: searchSteps - 2), searchSteps, searchSteps + 1 + stream.index(below: 3),
            searchSteps + 4 + stream.index(below: 2), searchSteps + 6, searchSteps + 10 + stream.index(below: 2),
            searchSteps + 12, searchSteps + roundSteps - 3 + stream.index(below: 3), searchSteps + roundSteps,
        ].sorted()
        var process = try PnPDKP(input: input, settings: settings, prior: prior, pnp: pnp)
        for stop in stops + [whole.totalSteps] {
            while process.step < stop {
                let record = try process.advance()
                let wanted = records[record.step - 1]
                #expect(
                    record.imageLoss == wanted.imageLoss && record.phase == wanted.phase
                        && record.kernelLoss.bitPattern == wanted.kernelLoss.bitPattern,
                    "step \(record.step), stopped at \(stops), seed \(seed)")
            }
            guard stop < whole.totalSteps else { break }
            let saved = try process.snapshot()
            let read = try SnapshotFile.decode(
                try SnapshotFile.encode(saved, name: "checkpoint"), name: "checkpoint of step \(stop)")
            process = try PnPDKP(resuming: read, input: input, settings: settings, prior: prior, pnp: pnp)
            #expect(process.step == stop)
            #expect(try process.snapshot() == saved, "what was restored is not what was saved at step \(stop)")
        }
        let found = try process.estimate()
        #expect(bits(found.image) == bits(expected.image), "images differ, stopped at \(stops), seed \(seed)")
        #expect(bits(found.kernel) == bits(expected.kernel), "kernels differ, stopped at \(stops), seed \(seed)")
        #expect(found.kernelCategory == expected.kernelCategory)
        #expect(found.kernelConfidence == expected.kernelConfidence)
    }

    @Test(arguments: [
        (1.0, 1e9, KernelCategory.free), (1e9, 0.01, KernelCategory.free), (1e9, 1e9, KernelCategory.gaussian),
    ])
    func `beside a Gaussian as narrow as a path is, or as wide as any, the free kernel is chosen sooner`(
        _ leastElongation: Double, _ limitFraction: Double, _ choice: KernelCategory
    ) throws {
        let settings = settings(steps: 8)
        var pnp = short(settings, tolerance: 0, greatestEnergyRatio: 0)
        pnp.greatestEnergyRatioOfPath = 1e9
        pnp.leastPathElongation = leastElongation
        pnp.greatestEnergyRatioAtLimit = 1e9
        pnp.limitFraction = limitFraction
        let process = try PnPDKP(
            input: picture(height: 17, width: 18).colour, settings: settings,
            prior: TrainedPrior(model(try IgnorantPredictor(), size: 20)), pnp: pnp)
        while process.step < process.totalSteps { _ = try process.advance() }
        #expect(try process.estimate().kernelCategory == choice)
    }

    @Test func `the work that is left counts the steps of both kinds`() throws {
        let settings = settings(steps: 4)
        let process = try PnPDKP(
            input: picture(height: 17, width: 18).colour, settings: settings,
            prior: TrainedPrior(model(try IgnorantPredictor(), size: 20)), pnp: short(settings, tolerance: 0))
        #expect(process.totalSteps == 4 + 19)
        // Steps with the trained network take longer.
        #expect(process.remainingWork > Double(process.totalSteps))
        var last = process.remainingWork
        while process.step < 4 {
            _ = try process.advance()
            #expect(process.remainingWork < last)
            last = process.remainingWork
        }
        // The steps of the present kind are all that is left.
        #expect(process.remainingWork == 19)
    }

    @Test func `other weights than the work was begun with are refused by name`() throws {
        let settings = settings(steps: 4)
        let input = picture().colour
        func prior(_ sha256: String) throws -> TrainedPrior {
            TrainedPrior(model(try IgnorantPredictor(), size: 20, sha256: sha256))
        }
        let begun = try PnPDKP(input: input, settings: settings, prior: prior("aaaa"))
        _ = try begun.advance()
        let snapshot = try begun.snapshot()
        let error = try #require(throws: RestorationError.self) {
            try PnPDKP(resuming: snapshot, input: input, settings: settings, prior: prior("bbbb"))
        }
        #expect(error.code == .badSettings && error.message.contains("bbbb"))
    }

    @Test(arguments: [[4, 4], [5, 7], [65, 65], [25]])
    func `a kernel that is not square, or of an even or too large size, is refused`(_ shape: [Int]) throws {
        let count = shape.reduce(1, *)
        let error = #expect(throws: RestorationError.self) {
            try PnPDKP(
                input: picture().colour, settings: settings(),
                prior: TrainedPrior(model(try IgnorantPredictor(), size: 20)),
                oracleKernel: Tensor(shape: shape, repeating: 1 / Float(count)))
        }
        #expect(error?.code == .badInput)
    }

    @Test(arguments: [5, 11, 33])
    func `a known kernel may have a size of its own, and stays as it is`(_ size: Int) throws {
        let kernel = Tensor<Float>(shape: [size, size], repeating: 1 / Float(size * size))
        let process = try PnPDKP(
            input: picture().colour, settings: settings(),
            prior: TrainedPrior(model(try IgnorantPredictor(), size: 20)), oracleKernel: kernel, margin: 2)
        _ = try process.advance()
        let snapshot = try process.snapshot()
        let resumed = try PnPDKP(
            resuming: snapshot, input: picture().colour, settings: settings(),
            prior: TrainedPrior(model(try IgnorantPredictor(), size: 20)), oracleKernel: kernel, margin: 2)
        while process.step < process.totalSteps { _ = try process.advance() }
        while resumed.step < resumed.totalSteps { _ = try resumed.advance() }
        #expect(try process.estimate() == resumed.estimate())
        #expect(process.kernel == kernel)
    }
}
