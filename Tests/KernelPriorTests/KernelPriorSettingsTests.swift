import Foundation
import KernelFamilies
import KernelPrior
import Tensors
import TestSupport
import Testing

@Suite struct KernelPriorSettingsTests {
    @Test(arguments: [(2, 11, 0.35, 5), (3, 15, 0.525, 7.5), (4, 19, 0.7, 10), (8, 21, 1.4, 10)])
    func `the defaults follow the scale`(scale: Int, size: Int, low: Double, high: Double) throws {
        let settings = KernelPriorSettings(scale: scale)
        #expect(settings.kernelSize == size)
        expectClose(settings.gaussianVariances.lowerBound, low, absolute: 1e-12)
        expectClose(settings.gaussianVariances.upperBound, high, absolute: 1e-12)
        try settings.validate()
        try KernelPriorSettings.paper(family: .gaussian, scale: scale).validate()
    }

    @Test func `settings survive encoding`() throws {
        let settings = KernelPriorSettings.paper(family: .motion, scale: 3, centre: .fkp)
        let data = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(KernelPriorSettings.self, from: data) == settings)
        let metropolis = MetropolisSettings()
        #expect(
            try JSONDecoder().decode(MetropolisSettings.self, from: JSONEncoder().encode(metropolis)) == metropolis)
    }

    static let impossible: [(name: String, change: @Sendable (inout KernelPriorSettings) -> Void)] = [
        ("scale", { $0.scale = 0 }),
        ("kernel_size", { $0.kernelSize = 18 }),
        ("kernel_size", { $0.kernelSize = 65 }),
        ("gaussian_variances", { $0.gaussianVariances = 0...1 }),
        ("motion_lengths", { $0.motionLengths = -1...1 }),
        ("motion_anxieties", { $0.motionAnxieties = 0.01...1 }),
        ("line_share", { $0.lineShare = 1.5 }),
        ("gaussian_share", { $0.gaussianShare = 1 }),
    ]

    @Test(arguments: impossible.indices)
    func `an impossible setting is named`(index: Int) {
        let (name, change) = Self.impossible[index]
        var settings = KernelPriorSettings()
        change(&settings)
        let error = #expect(throws: KernelPriorError.self) { try KernelPrior(settings: settings) }
        #expect(error?.code == .invalidSetting)
        #expect(error?.message.contains(name) == true)
    }

    @Test func `impossible sampler and network settings are refused`() throws {
        let prior = try makePrior(.auto)
        #expect(throws: KernelPriorError.self) { try IndependentSampler(prior: prior, draws: 0, seed: 0) }
        var settings = MetropolisSettings()
        settings.proposals = 0
        #expect(throws: KernelPriorError.self) { try MetropolisSampler(prior: prior, settings: settings, seed: 0) }
        let shallow = KernelNetworkSettings(inputCount: 4, hiddenCount: 4, depth: 2)
        #expect(throws: KernelPriorError.self) { try KernelNetwork(kernelSize: 7, settings: shallow, seed: 0) }
    }

    @Test func `auto draws both categories, in their share`() throws {
        let prior = try makePrior(.auto)
        var stream = RandomStream(seed: 2, name: "draws")
        let gaussians = (0..<2000).count { _ in prior.draw(from: &stream).category == .gaussian }
        expectClose(Double(gaussians) / 2000, 0.5, absolute: 0.04)
    }
}
