import CNeuralKernels

/// A step of a network in the plan: where its operands will lie. There is nothing to run before it is bound to memory.
protocol PlannedOperation {
    /// The step over the memory of its plan.
    func bind(to memory: PlannedMemory) throws(NeuralNetworkError) -> BoundOperation
}

/// A step of a network over its memory.
struct BoundOperation {
    let forward: any ForwardPass
    /// Only where a gradient is wanted.
    var backward: (any BackwardPass)?
    /// The weights, where the step keeps them in a layout of its own.
    var weights: (any PackedWeights)?
    /// The names of the implementations that oneDNN chose, for benchmarks and bug reports.
    var implementations: [String] = []
}

/// The forward pass of a bound operation; running it allocates nothing.
protocol ForwardPass: AnyObject {
    /// - Parameter training: whether batch norms use the batch's statistics, not the running ones.
    func run(training: Bool) throws(NeuralNetworkError)
}

/// The backward pass of a bound operation; running it allocates nothing.
protocol BackwardPass: AnyObject {
    func run() throws(NeuralNetworkError)
}

/// Weights in the layout of an operation.
protocol PackedWeights: AnyObject {
    /// The parameter that the weights are.
    var parameter: Int { get }
    /// Set when the master weights have changed since they were last packed.
    var areStale: Bool { get set }
    /// Takes weights that nobody else keeps: f32, row-major, channels padded to whole blocks.
    func pack(_ plain: UnsafePointer<Float>) throws(NeuralNetworkError)
}

/// Where an operation writes the gradient of an input: the first writer of a step stores, later ones add.
struct GradientTarget {
    let map: MapPlan
    let accumulates: Bool

    func bind(to memory: PlannedMemory) -> BoundGradientTarget {
        BoundGradientTarget(view: map.view(in: memory), accumulates: accumulates)
    }
}

/// A ``GradientTarget`` over its memory.
struct BoundGradientTarget {
    fileprivate let view: dkp_feature_map
    fileprivate let accumulates: Bool

    /// Lets `write` store or add into the interior; the halo of a first write is cleared.
    func write(_ write: (_ accumulate: Int32, _ target: UnsafePointer<dkp_feature_map>) -> Void) {
        withUnsafePointer(to: view) {
            write(accumulates ? 1 : 0, $0)
            if !accumulates { dkp_zero_halo($0) }
        }
    }
}

func withOptionalPointer<Value, Result>(_ value: Value?, _ body: (UnsafePointer<Value>?) -> Result) -> Result {
    guard let value else { return body(nil) }
    return withUnsafePointer(to: value) { body($0) }
}
