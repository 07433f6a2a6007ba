import CNeuralKernels
import COneDNN

/// Where the weights of a convolution lie, in the layouts that oneDNN wants for its passes.
struct PlannedConvolutionWeights {
    private let parameter: Int
    private let parameters: ParameterStore
    private let shape: [Int]
    private let forwardLayout: MemoryDescription
    private let forward: MemoryPlan.Buffer
    /// Layout and place for the gradient of the input, where there is one to compute.
    private let backward: (layout: MemoryDescription, buffer: MemoryPlan.Buffer)?
    private let isRounded: Bool
    /// The master weights rounded to bf16, where the network keeps them and the processor lacks bf16.
    private let rounded: MemoryPlan.Buffer?

    /// - Parameter isRounded: whether f32 weights are to have bf16 values.
    init(
        _ parameter: Int, forward: MemoryDescription, backward: MemoryDescription?, isRounded: Bool, shape: [Int],
        parameters: ParameterStore, planner: inout Planner, operation: Int
    ) {
        self.parameter = parameter
        self.parameters = parameters
        self.shape = shape
        self.isRounded = isRounded
        forwardLayout = forward
        let place = planner.memory.persistentBuffer(byteCount: forward.byteCount)
        self.forward = place
        self.backward = backward.map { layout in
            (layout, layout == forward ? place : planner.memory.persistentBuffer(byteCount: layout.byteCount))
        }
        guard isRounded, parameters.keeps(parameter) else {
            rounded = nil
            return
        }
        let rounded = planner.memory.buffer(byteCount: shape.reduce(4, *))
        planner.memory.use(rounded, at: .forward(operation))
        self.rounded = rounded
    }

    func packingScratchByteCount(
        _ plain: MemoryDescription, on compute: ComputeStream
    ) throws(NeuralNetworkError) -> Int {
        var count = 0
        for layout in [forwardLayout, backward?.layout].compactMap({ $0 }) {
            let packing = try PrimitiveDescription.reorder(plain, to: layout, name: "weights", on: compute)
            count = max(count, packing.scratchByteCount)
        }
        return count
    }

    func bind(
        to memory: PlannedMemory, scratch: UnsafeMutableRawPointer, plain: MemoryDescription, name: String,
        on compute: ComputeStream
    ) throws(NeuralNetworkError) -> ConvolutionWeights {
        let packed = try MemoryView(forwardLayout, at: memory.pointer(to: forward), on: compute)
        let packedBackward = try backward.map { backward throws(NeuralNetworkError) in
            backward.buffer == forward
                ? packed : try MemoryView(backward.layout, at: memory.pointer(to: backward.buffer), on: compute)
        }
        let reordering = WeightReordering(plain: plain, scratch: scratch, name: name, compute: compute)
        var master: ConvolutionWeights.Master?
        if parameters.keeps(parameter) {
            let values = parameters.values(parameter)
            let rounding = rounded.map {
                Rounding(source: values, target: memory.floats($0), count: shape.reduce(1, *))
            }
            let source = rounding?.target ?? values
            var packing = [try reordering.primitive(from: source, to: forwardLayout, packed)]
            if let backward, let packedBackward, backward.buffer != forward {
                packing.append(try reordering.primitive(from: source, to: backward.layout, packedBackward))
            }
            master = ConvolutionWeights.Master(rounding: rounding, packing: packing)
        }
        return ConvolutionWeights(
            parameter: parameter, count: shape.reduce(1, *), layout: forwardLayout, packed: packed,
            packedBackward: packedBackward, master: master, isRounded: isRounded, reordering: reordering)
    }
}

/// The weights of a convolution in oneDNN's layouts.
final class ConvolutionWeights: PackedWeights {
    /// How the packed weights are made of those that the network keeps.
    struct Master {
        let rounding: Rounding?
        let packing: [Primitive]
    }

    let parameter: Int
    var areStale = true
    let packed: MemoryView
    let packedBackward: MemoryView?
    private let count: Int
    private let layout: MemoryDescription
    /// Nil where the network keeps none: the weights come by ``pack(_:)``.
    private let master: Master?
    private let isRounded: Bool
    private let reordering: WeightReordering

    init(
        parameter: Int, count: Int, layout: MemoryDescription, packed: MemoryView, packedBackward: MemoryView?,
        master: Master?, isRounded: Bool, reordering: WeightReordering
    ) {
        self.parameter = parameter
        self.count = count
        self.layout = layout
        self.packed = packed
        self.packedBackward = packedBackward
        self.master = master
        self.isRounded = isRounded
        self.reordering = reordering
    }

    /// Packs the master weights anew if they have changed.
    func refresh() throws(NeuralNetworkError) {
        guard areStale else { return }
        if let master {
            master.rounding?.run()
            for primitive in master.packing { try primitive.run(on: reordering.compute) }
        }
        areStale = false
    }

    func pack(_ plain: UnsafePointer<Float>) throws(NeuralNetworkError) {
        guard isRounded else {
            // oneDNN takes sources as mutable too, and only reads them.
            try reordering.primitive(from: UnsafeMutablePointer(mutating: plain), to: layout, packed).run(
                on: reordering.compute)
            return
        }
        let rounded = UnsafeMutablePointer<Float>.allocate(capacity: count)
        defer { rounded.deallocate() }
        dkp_round_to_bf16(plain, rounded, count)
        try reordering.primitive(from: rounded, to: layout, packed).run(on: reordering.compute)
    }
}

/// f32 numbers rounded to those that bf16 has.
struct Rounding {
    let source: UnsafeMutablePointer<Float>
    let target: UnsafeMutablePointer<Float>
    let count: Int

    func run() { dkp_round_to_bf16(source, target, count) }
}

/// Changes plain weights to a layout of oneDNN's.
struct WeightReordering {
    let plain: MemoryDescription
    let scratch: UnsafeMutableRawPointer
    let name: String
    let compute: ComputeStream

    func primitive(
        from source: UnsafeMutablePointer<Float>, to layout: MemoryDescription, _ target: MemoryView
    ) throws(NeuralNetworkError) -> Primitive {
        let source = try MemoryView(plain, at: source, on: compute)
        return try .reorder(plain, source, to: layout, target, scratch: scratch, name: name, on: compute)
    }
}
