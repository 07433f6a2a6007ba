import CNeuralKernels

/// One step of a planned network. Created while the plan is made, bound to memory once, then run.
protocol Operation: AnyObject {
    /// Takes its views and primitives over the arena.
    func bind(to memory: PlannedMemory) throws(NeuralNetworkError)
    func forward(training: Bool) throws(NeuralNetworkError)
    func backward() throws(NeuralNetworkError)
}

extension Operation {
    /// Inference-only operations have no backward pass; the planner keeps them out of networks that are trained.
    func backward() {}
}

/// An operation that holds weights in its own layout.
protocol PackedWeights: Operation {
    /// The parameter that the weights are.
    var weightParameter: Int { get }
    /// Set when the master weights have changed since they were last packed.
    var weightsAreStale: Bool { get set }
    /// Takes weights that nobody else keeps: f32, row-major, channels padded to whole blocks.
    func pack(_ plain: UnsafePointer<Float>) throws(NeuralNetworkError)
}

/// Where an operation writes the gradient of an input: the first writer of a step stores, later ones add.
struct GradientTarget {
    let map: MapPlan
    let accumulates: Bool
    private var boundView: dkp_feature_map?

    init(map: MapPlan, accumulates: Bool) {
        self.map = map
        self.accumulates = accumulates
    }

    mutating func bind(to memory: PlannedMemory) { boundView = map.view(in: memory) }

    /// Lets `write` store or add into the interior; the halo of a first write is cleared.
    func write(_ write: (_ accumulate: Int32, _ target: UnsafePointer<dkp_feature_map>) -> Void) {
        guard let boundView else { preconditionFailure("an operation runs before it is bound") }
        withUnsafePointer(to: boundView) {
            write(accumulates ? 1 : 0, $0)
            if !accumulates { dkp_zero_halo($0) }
        }
    }
}

/// A view that is set when the operation is bound.
@propertyWrapper struct Bound<Value> {
    private var value: Value?

    init() {}

    var wrappedValue: Value {
        get {
            guard let value else { preconditionFailure("an operation runs before it is bound") }
            return value
        }
        set { value = newValue }
    }
}
