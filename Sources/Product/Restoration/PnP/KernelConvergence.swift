import Checkpointing
import KernelPrior
import Tensors

/// Watches a kernel and tells when it has come to rest.
public struct KernelConvergence {
    /// When a kernel counts as found.
    public struct Criterion: Sendable, Equatable {
        /// The first share of the search's steps in which it cannot count as found.
        public var earliestShare = 0.7
        /// Steps between two looks at the kernel.
        public var interval = 10
        /// The greatest distance of two looks' kernels, relative to the kernel's own norm.
        public var tolerance = 0.01
        /// How many looks in a row have to be as near as that.
        public var looks = 3
    }

    private let criterion: Criterion
    private let steps: Int
    private var last: Tensor<Float>?
    private var calm = 0

    /// - Parameter steps: the search's steps at most.
    init(_ criterion: Criterion, steps: Int) {
        self.criterion = criterion
        self.steps = steps
    }

    /// Whether the kernel has come to rest.
    var hasConverged: Bool { calm >= criterion.looks }

    /// Looks at the kernel after so many steps.
    mutating func observe(_ kernel: Tensor<Float>, step: Int) {
        guard step % criterion.interval == 0, Double(step) >= criterion.earliestShare * Double(steps) else { return }
        if let last {
            var distance: Float = 0
            last.withUnsafeBufferPointer { last in
                kernel.withUnsafeBufferPointer { kernel in
                    for index in 0..<kernel.count {
                        distance += (kernel[index] - last[index]) * (kernel[index] - last[index])
                    }
                }
            }
            let isNear = Double(distance) < criterion.tolerance * criterion.tolerance * kernel.squaredNorm
            calm = isNear ? calm + 1 : 0
        }
        last = kernel
    }

    func save(to snapshot: inout Snapshot) {
        snapshot.setAttribute("pnp/calm_looks", calm)
        if let last { snapshot.set("pnp/last_kernel", last) }
    }

    mutating func restore(from snapshot: Snapshot, kernelSize: Int) throws {
        calm = try snapshot.int("pnp/calm_looks")
        last =
            snapshot.contains("pnp/last_kernel")
            ? try snapshot.tensor("pnp/last_kernel", shape: [kernelSize, kernelSize]) : nil
    }
}
