public import Checkpointing
public import Jobs
import NeuralNetwork
public import Tensors

extension DIPDKP {
    /// A process that goes on where `snapshot` was taken.
    ///
    /// - Parameters: as those of the process that was saved; what differs shows as an error naming the dataset.
    /// - Throws: ``CheckpointError`` for a missing or misshapen dataset.
    public convenience init(
        resuming snapshot: Snapshot, input: Tensor<Float>, settings: RestorationSettings, dip: DIPSettings? = nil,
        oracleKernel: Tensor<Float>? = nil
    ) throws {
        // The kernel network is about to be overwritten: warming it up would be lost work.
        try self.init(input: input, settings: settings, dip: dip, oracleKernel: oracleKernel, warmsUp: false)
        try restore(from: snapshot)
    }

    /// The whole state: both networks with their optimisers, the sampler with its streams, the running average.
    public func snapshot() throws -> Snapshot {
        var snapshot = Snapshot()
        snapshot.setAttribute("dip/step", step)
        snapshot.setAttribute("dip/is_explained", isExplained ? 1 : 0)
        snapshot.setAttribute("dip/adam_step", Int(network.stepCount))
        snapshot.set("dip/input", noise)
        snapshot.set("dip/parameters", Dataset(network.flattened(.values, trainable: true)))
        snapshot.set("dip/adam_m", Dataset(network.flattened(.firstMoments, trainable: true)))
        snapshot.set("dip/adam_v", Dataset(network.flattened(.secondMoments, trainable: true)))
        snapshot.set("dip/running_statistics", Dataset(network.flattened(.values, trainable: false)))
        snapshot.set("dip/average/sum", average.sum)
        snapshot.setAttribute("dip/average/count", average.count)
        snapshot.setAttribute("dip/average/loss_sum", average.lossSum)
        best.save(to: &snapshot)
        estimator.save(to: &snapshot)
        return snapshot
    }

    private func restore(from snapshot: Snapshot) throws {
        try network.setInput(try snapshot.tensor("dip/input", shape: noise.shape))
        noise = try snapshot.dataset("dip/input")
        try network.setFlattened(.values, trainable: true, to: try snapshot.floats("dip/parameters"))
        try network.setFlattened(.firstMoments, trainable: true, to: try snapshot.floats("dip/adam_m"))
        try network.setFlattened(.secondMoments, trainable: true, to: try snapshot.floats("dip/adam_v"))
        try network.setFlattened(.values, trainable: false, to: try snapshot.floats("dip/running_statistics"))
        network.stepCount = Int64(try snapshot.int("dip/adam_step"))
        average.sum = try snapshot.tensor("dip/average/sum", shape: average.sum.shape)
        average.count = try snapshot.int("dip/average/count")
        average.lossSum = try snapshot.double("dip/average/loss_sum")
        try best.restore(from: snapshot)
        try estimator.restore(from: snapshot)
        isExplained = try snapshot.int("dip/is_explained") != 0
        step = try snapshot.int("dip/step")
    }
}
