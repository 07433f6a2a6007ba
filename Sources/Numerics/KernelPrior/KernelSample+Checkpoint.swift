import Checkpointing
import KernelFamilies
import Tensors

extension KernelCategory {
    /// How checkpoints write the category.
    var code: Int64 {
        switch self {
        case .gaussian: 0
        case .motion: 1
        case .free: 2
        }
    }

    /// The category that a checkpoint's number stands for.
    init(code: Int64, path: String) throws(KernelPriorError) {
        switch code {
        case 0: self = .gaussian
        case 1: self = .motion
        case 2: self = .free
        default: throw .checkpoint(path, "holds \(code), which is no category of kernels")
        }
    }
}

extension KernelSample {
    /// Saves the last sample under `mcmc`: kernels `[L, n, n]`, weights, losses and categories `[L]`.
    func save(to snapshot: inout Snapshot) {
        let shape = [kernels.count] + kernel.shape
        snapshot.set("mcmc/kernels", Dataset(shape: shape, values: .float(kernels.flatMap(\.elements))))
        snapshot.set("mcmc/weights", Dataset(weights))
        snapshot.set("mcmc/losses", Dataset(losses))
        snapshot.set("mcmc/categories", Dataset(categories.map(\.code)))
    }

    /// The sample saved in a snapshot, of `count` kernels of `size` rows; nil where none was saved.
    static func restore(from snapshot: Snapshot, count: Int, size: Int) throws -> KernelSample? {
        guard snapshot.contains("mcmc/kernels") else { return nil }
        let kernels = try restoreKernels("mcmc/kernels", from: snapshot, count: count, size: size)
        let weights = try snapshot.doubles("mcmc/weights", count: count)
        guard weights.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
            throw KernelPriorError.checkpoint("mcmc/weights", "holds a weight that is negative or not finite")
        }
        return KernelSample(
            kernels: kernels,
            categories: try restoreCategories("mcmc/categories", from: snapshot, count: count),
            losses: try snapshot.doubles("mcmc/losses", count: count), weights: weights)
    }
}

/// Kernels saved as `[count, size, size]`.
func restoreKernels(_ path: String, from snapshot: Snapshot, count: Int, size: Int) throws -> [Tensor<Float>] {
    let values = try snapshot.tensor(path, shape: [count, size, size]).elements
    guard values.allSatisfy(\.isFinite) else {
        throw KernelPriorError.checkpoint(path, "holds a value that is not finite")
    }
    let area = size * size
    return (0..<count).map { Tensor(shape: [size, size], values[($0 * area)..<(($0 + 1) * area)]) }
}

/// Categories saved as `[count]`.
func restoreCategories(_ path: String, from snapshot: Snapshot, count: Int) throws -> [KernelCategory] {
    try snapshot.int64s(path, count: count).map { try KernelCategory(code: $0, path: path) }
}

/// Checks that the snapshot is of a sampler of this kind.
func requireSampler(_ name: String, in snapshot: Snapshot) throws {
    let found = try snapshot.string("mcmc/sampler")
    guard found == name else {
        throw KernelPriorError.checkpoint("mcmc/sampler", "is \(found), but the settings ask for \(name)")
    }
}
