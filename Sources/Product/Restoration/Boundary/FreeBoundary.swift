import Checkpointing
import Jobs
import Tensors

/// A restoration of a photograph whose surroundings nobody has seen: its method restores a canvas that reaches beyond the
/// borders, of which the middle is shown.
final class FreeBoundary: RestorationProcess {
    private let process: any RestorationProcess
    private let margin: Int

    /// - Parameters:
    ///   - process: the method at work on the canvas.
    ///   - margin: the canvas's rows and columns beyond the image at each side, at the high resolution.
    init(_ process: any RestorationProcess, margin: Int) {
        self.process = process
        self.margin = margin
    }

    var step: Int { process.step }
    var totalSteps: Int { process.totalSteps }
    var remainingWork: Double { process.remainingWork }

    func advance() throws -> StepRecord { try process.advance() }

    func snapshot() throws -> Snapshot { try process.snapshot() }

    func estimate() throws -> RestorationEstimate {
        var estimate = try process.estimate()
        estimate.image = estimate.image.inner(margin)
        return estimate
    }
}

extension RestorationInput {
    /// The input on a canvas with a margin that was not observed; the noise is that of what was.
    func onCanvas() -> RestorationInput {
        var canvas = self
        canvas.margin = Margin.width(scale: settings.scale, kernelSize: oracleKernel?.shape[0])
        canvas.settings.noise = 255 * settings.noiseStandardDeviation(of: planes)
        canvas.planes = planes.extended(by: canvas.margin)
        return canvas
    }
}
