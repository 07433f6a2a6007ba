public import Jobs

public import Checkpointing
public import Tensors

/// What a restoration process is made from.
public struct RestorationInput: Sendable {
    /// The low-resolution colour planes `[channels, height, width]` in [0, 1].
    public var planes: Tensor<Float>
    /// What is asked.
    public var settings: RestorationSettings
    /// The true kernel `[n, n]`, to be used instead of an estimate; for experiments.
    public var oracleKernel: Tensor<Float>?

    /// The rows and columns of the planes, at each side, that were not observed but continue what was.
    var margin = 0

    /// An input of these planes.
    public init(planes: Tensor<Float>, settings: RestorationSettings, oracleKernel: Tensor<Float>? = nil) {
        self.planes = planes
        self.settings = settings
        self.oracleKernel = oracleKernel
    }
}

/// Makes a process at its beginning, or resumes one from a snapshot. An error that tells of a snapshot that does not fit
/// (see `Resumption`) makes the worker begin anew; any other ends the run.
public typealias RestorationProcessFactory = (_ input: RestorationInput, _ snapshot: Snapshot?) throws
    -> any RestorationProcess
