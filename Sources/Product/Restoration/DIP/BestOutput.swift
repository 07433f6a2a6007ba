import Checkpointing
import Tensors

/// The image network's output that has explained the input best so far, with its kernel: what is left if the networks
/// diverge later, as an untrained network under Adam now and then does.
struct BestOutput {
    private(set) var image: Tensor<Float>
    private(set) var kernel: Tensor<Float>
    /// The mean squared error of the blurred image.
    private(set) var loss = Double.infinity
    private(set) var step = 0

    init(imageShape: [Int], kernelShape: [Int]) {
        image = Tensor(shape: imageShape)
        kernel = Tensor(shape: kernelShape)
    }

    /// Takes over an output if it is better.
    mutating func offer(_ image: Tensor<Float>, _ kernel: Tensor<Float>, loss: Double, step: Int) {
        guard loss < self.loss else { return }
        // Copied in place: keeping the network's own tensor would make it allocate another at its next pass.
        self.image.copyElements(of: image)
        self.kernel.copyElements(of: kernel)
        self.loss = loss
        self.step = step
    }

    func save(to snapshot: inout Snapshot) {
        snapshot.set("dip/best/image", image)
        snapshot.set("dip/best/kernel", kernel)
        snapshot.setAttribute("dip/best/loss", loss)
        snapshot.setAttribute("dip/best/step", step)
    }

    mutating func restore(from snapshot: Snapshot) throws {
        image = try snapshot.tensor("dip/best/image", shape: image.shape)
        kernel = try snapshot.tensor("dip/best/kernel", shape: kernel.shape)
        loss = try snapshot.double("dip/best/loss")
        step = try snapshot.int("dip/best/step")
    }
}

extension Tensor {
    /// Overwrites the elements by those of a tensor of the same shape.
    fileprivate mutating func copyElements(of other: Tensor) {
        withUnsafeMutableBufferPointer { target in
            other.withUnsafeBufferPointer { source in
                for index in 0..<min(target.count, source.count) { target[index] = source[index] }
            }
        }
    }
}
