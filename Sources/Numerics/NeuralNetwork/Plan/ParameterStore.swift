import COptimisers
import Tensors

/// The parameters of a network with their gradients and Adam's moments, f32, in one arena.
///
/// Channels are padded to whole blocks, so that the arrays can be handed to oneDNN as they are; padding has zero value,
/// zero gradient, and so stays zero under Adam. ``Tensor``s that come in and go out have the logical shapes.
///
/// A large network that is only run keeps no weights here: its operations have them, packed.
final class ParameterStore {
    private struct Slot {
        var offset: Int
        /// Physical extents: `[out, in, height, width]` for weights, `[channels]` otherwise.
        var physicalShape: [Int]
        /// The physical place of each logical element.
        var elementOffsets: [Int32]
    }

    let descriptions: [ParameterDescription]
    private let slots: [Slot]
    private let arena: Arena
    private let trainableCount: Int
    private let count: Int
    /// The number of Adam steps taken.
    var stepCount: Int64 = 0

    /// Whether weights are here too, not only biases and the like.
    let keepsWeights: Bool

    init(
        _ descriptions: [ParameterDescription], block: Int, training: Bool, keepsWeights: Bool
    ) throws(NeuralNetworkError) {
        self.descriptions = descriptions
        self.keepsWeights = keepsWeights
        var slots = [Slot?](repeating: nil, count: descriptions.count)
        var offset = 0
        var trainableCount = 0
        for trainable in [true, false] {
            for (index, description) in descriptions.enumerated() where description.isTrainable == trainable {
                let isKept = keepsWeights || !description.isWeight
                let layout = ParameterLayout(description, block: block)
                slots[index] = Slot(
                    offset: offset, physicalShape: layout.physicalShape,
                    elementOffsets: isKept ? layout.elementOffsets : [])
                if isKept { offset += (layout.physicalCount + 15) / 16 * 16 }
            }
            if trainable { trainableCount = offset }
        }
        self.slots = slots.compactMap { $0 }
        self.trainableCount = trainableCount
        count = offset
        arena = try Arena(byteCount: (count + (training ? 3 * trainableCount : 0)) * MemoryLayout<Float>.stride)
    }

    /// The bytes of values, gradients and moments.
    var byteCount: Int { arena.byteCount }

    /// Whether the values of a parameter are here.
    func keeps(_ index: Int) -> Bool { keepsWeights || !descriptions[index].isWeight }

    private var floats: UnsafeMutablePointer<Float> { arena.base.assumingMemoryBound(to: Float.self) }

    /// The padded values of a parameter.
    func values(_ index: Int) -> UnsafeMutablePointer<Float> { floats + slots[index].offset }

    /// The padded gradient of a trainable parameter of a network planned for training.
    func gradient(_ index: Int) -> UnsafeMutablePointer<Float> { floats + count + slots[index].offset }

    func physicalShape(_ index: Int) -> [Int] { slots[index].physicalShape }

    /// What is stored per parameter.
    enum Column: Int {
        case values
        case gradients
        case firstMoments
        case secondMoments
    }

    private func column(_ column: Column) -> UnsafeMutablePointer<Float> {
        switch column {
        case .values: floats
        case .gradients: floats + count
        case .firstMoments: floats + count + trainableCount
        case .secondMoments: floats + count + 2 * trainableCount
        }
    }

    func tensor(_ column: Column, _ index: Int) -> Tensor<Float> {
        let start = self.column(column) + slots[index].offset
        return Tensor(shape: descriptions[index].shape, slots[index].elementOffsets.map { start[Int($0)] })
    }

    func set(_ column: Column, _ index: Int, to tensor: Tensor<Float>) {
        let start = self.column(column) + slots[index].offset
        tensor.withUnsafeBufferPointer { elements in
            for (element, offset) in zip(elements, slots[index].elementOffsets) { start[Int(offset)] = element }
        }
    }

    func flattened(_ column: Column, trainable: Bool) -> [Float] {
        let start = self.column(column)
        let count = descriptions.reduce(0) { $0 + ($1.isTrainable == trainable ? $1.count : 0) }
        return [Float](unsafeUninitializedCapacity: count) { result, initialized in
            for (slot, description) in zip(slots, descriptions) where description.isTrainable == trainable {
                let values = start + slot.offset
                for offset in slot.elementOffsets {
                    result.initializeElement(at: initialized, to: values[Int(offset)])
                    initialized += 1
                }
            }
        }
    }

    func setFlattened(_ column: Column, trainable: Bool, to elements: [Float]) {
        let start = self.column(column)
        var next = 0
        for (slot, description) in zip(slots, descriptions) where description.isTrainable == trainable {
            let values = start + slot.offset
            for offset in slot.elementOffsets {
                values[Int(offset)] = elements[next]
                next += 1
            }
        }
    }

    /// One step of Adam with PyTorch's defaults: betas 0.9 and 0.999, epsilon 1e-8.
    func adamStep(learningRate: Double) {
        stepCount += 1
        dkp_adam_step(
            column(.values), column(.gradients), column(.firstMoments), column(.secondMoments), trainableCount,
            learningRate, 0.9, 0.999, 1e-8, stepCount)
    }
}
