public import Checkpointing
import Tensors

extension KernelNetwork {
    /// Saves parameters, gradients, Adam's moments and step count and the code, under `kernel_network`.
    public func save(to snapshot: inout Snapshot) {
        snapshot.set("kernel_network/parameters", parameters)
        snapshot.set("kernel_network/gradients", gradients)
        snapshot.set("kernel_network/adam_m", firstMoments)
        snapshot.set("kernel_network/adam_v", secondMoments)
        snapshot.set("kernel_network/code", code)
        snapshot.setAttribute("kernel_network/adam_step", adamSteps)
    }

    /// Continues where a saved network of the same shape was; the output is computed anew. On an error the network is
    /// as before.
    public mutating func restore(from snapshot: Snapshot) throws {
        let shape = parameters.shape
        let parameters = try snapshot.tensor("kernel_network/parameters", shape: shape)
        let gradients = try snapshot.tensor("kernel_network/gradients", shape: shape)
        let firstMoments = try snapshot.tensor("kernel_network/adam_m", shape: shape)
        let secondMoments = try snapshot.tensor("kernel_network/adam_v", shape: shape)
        let code = try snapshot.tensor("kernel_network/code", shape: [settings.inputCount])
        let adamSteps = try snapshot.int("kernel_network/adam_step")
        guard adamSteps >= 0 else {
            throw KernelPriorError.checkpoint("kernel_network/adam_step", "is \(adamSteps), below zero")
        }
        self.parameters = parameters
        self.gradients = gradients
        self.firstMoments = firstMoments
        self.secondMoments = secondMoments
        self.code = code
        self.adamSteps = adamSteps
        forward()
    }
}
