import Imaging
import Jobs
import KernelFamilies
import KernelPrior
import Restoration
import Tensors
import TestSupport
import Testing

@Suite struct TransparencyTests {
    /// A picture whose left half is hidden, of the given colour there.
    private func halfHidden(_ hidden: Float) -> Image {
        let whole = picture(height: 12, width: 10)
        let alpha = Tensor<Float>(shape: [12, 10], (0..<120).map { $0 % 10 < 5 ? 0 : 1 })
        let colour = Tensor<Float>(
            shape: [3, 12, 10], whole.colour.elements.enumerated().map { $0 % 10 < 5 ? hidden : $1 })
        return Image(colour: colour, alpha: alpha)
    }

    @Test func `hidden colours leave no trace in the result`() throws {
        try withTemporaryDirectory { directory in
            let results = try [Float(0), 1].map { hidden in
                let job = try makeJob(in: directory, name: "job-\(hidden)", image: halfHidden(hidden))
                #expect(try toyWorker(job).run() == .finished)
                return try Image(file: "\(job.resultPath)/restored.png")
            }
            #expect(results[0].colour == results[1].colour)
            #expect(results[0].alpha == results[1].alpha)
        }
    }

    @Test func `a degraded picture is free of them too`() throws {
        let model = try SyntheticDegradation(scale: 2, family: .gaussian, seed: 1)
        #expect(try model.apply(to: halfHidden(0)).colour == model.apply(to: halfHidden(1)).colour)
    }
}
