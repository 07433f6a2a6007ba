import Diffusion
import Tensors
import TestSupport
import Testing

@Suite struct ScheduleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var betas: DiffusionDescription.Betas
        var respacing: String?

        var testDescription: String { name }

        static let all = [
            Case(name: "linear_1000", betas: .linear),
            Case(name: "cosine_1000", betas: .cosine),
            Case(name: "linear_respaced_100", betas: .linear, respacing: "100"),
            Case(name: "cosine_respaced_100", betas: .cosine, respacing: "100"),
            Case(name: "linear_respaced_ddim50", betas: .linear, respacing: "ddim50"),
            Case(name: "cosine_respaced_ddim50", betas: .cosine, respacing: "ddim50"),
        ]
    }

    @Test(arguments: Case.all) func `schedules agree with the original implementation`(_ which: Case) throws {
        let schedule = try NoiseSchedule(
            DiffusionDescription(schedule: which.betas), respacing: try which.respacing.map { try Respacing($0) })
        let golden = GoldenNumbers.schedules
        #expect(try schedule.timesteps == golden.integers("\(which.name)/timestep_map"))
        let arrays: [(String, [Double])] = [
            ("betas", schedule.betas), ("alphas_cumprod", schedule.alphaBar),
            ("posterior_mean_coef1", schedule.posteriorMeanCoefficient1),
            ("posterior_mean_coef2", schedule.posteriorMeanCoefficient2),
            ("posterior_variance", schedule.posteriorVariance),
        ]
        for (name, values) in arrays {
            expectClose(
                values, try golden.doubles("\(which.name)/\(name)_f64").elements, absolute: 1e-12, name)
        }
    }

    @Test func `sections are spread over equal parts of the training`() throws {
        #expect(try Respacing("2,3").timesteps(of: 10) == [0, 4, 5, 7, 9])
        #expect(try Respacing("1,1,1").timesteps(of: 10) == [0, 4, 7])
        #expect(try Respacing(steps: 10).timesteps(of: 10) == Array(0..<10))
    }

    @Test(arguments: ["", "0", "-3", "ddim0", "ddim", "10,", "ten", "1001", "ddim999", "600,1"])
    func `a respacing that makes no sense is refused`(_ text: String) {
        #expect(throws: DiffusionError.self) { try Respacing(text).timesteps(of: 1000) }
    }

    @Test(arguments: [0, -1, 100_001]) func `a training without a sensible number of steps is refused`(_ steps: Int) {
        #expect(throws: DiffusionError.self) { try NoiseSchedule(DiffusionDescription(steps: steps)) }
    }

    @Test(arguments: DiffusionDescription.Betas.allCases, [1, 2, 20, 50])
    func `short trainings have betas below one`(_ betas: DiffusionDescription.Betas, _ steps: Int) throws {
        let schedule = try NoiseSchedule(DiffusionDescription(steps: steps, schedule: betas))
        #expect(schedule.betas.allSatisfy { $0 > 0 && $0 < 1 })
        #expect(schedule.posteriorVariance.allSatisfy { $0.isFinite && $0 >= 0 })
    }
}
