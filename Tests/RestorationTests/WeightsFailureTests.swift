import Diffusion
import Failures
import Restoration
import Testing

@Suite struct `Failures of weights` {
    @Test(arguments: WeightsError.Code.allCases)
    func `absent weights are unavailable, all others bad input`(code: WeightsError.Code) {
        let failure = FailureReport(WeightsError(code, "weights.h5: what is wrong"))
        #expect(failure.exitStatus == (code == .notFound ? .unavailable : .badInput))
        #expect(failure.code.hasPrefix("weights_"))
        #expect(failure.description.contains("weights.h5: what is wrong"))
    }

    @Test func `an image that does not suit a network is bad input`() {
        #expect(FailureReport(DiffusionError(.unusableNetwork, "15 x 24")).exitStatus == .badInput)
    }
}
