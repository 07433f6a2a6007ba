import Checkpointing
import Files
import Jobs
public import HDF5
public import Tensors

/// Blur kernels in HDF5 files: a dataset `kernel` [n, n] at the root.
public enum KernelFile {
    /// Reads a kernel.
    /// - Throws: ``RestorationError`` if it is not square, or not non-negative with the sum 1; `HDF5Error`.
    public static func read(_ path: String) throws -> Tensor<Double> {
        try LocalFileSystem().requireReadable(path)
        let file = try HDF5File(reading: path)
        let (shape, values) = try file.readDoubles("kernel")
        guard shape.count == 2, shape[0] == shape[1], shape[0] >= 1 else {
            throw RestorationError(
                .badInput, "\(path): dataset kernel has shape \(shape)", remedy: "give a square kernel [n, n]")
        }
        let sum = values.reduce(0, +)
        guard values.allSatisfy({ $0.isFinite && $0 >= 0 }), abs(sum - 1) < 1e-3 else {
            throw RestorationError(
                .badInput, "\(path): dataset kernel has the sum \(sum) or negative values",
                remedy: "give a kernel of non-negative numbers that sum to 1")
        }
        return Tensor(shape: shape, values)
    }

    /// Writes a kernel `[n, n]`, with attributes that say where it comes from.
    /// - Throws: ``RestorationError`` with code `notFinite`; `CheckpointError`.
    public static func write(
        _ kernel: Tensor<Double>, to path: String, attributes: [String: AttributeValue] = [:]
    ) throws {
        guard kernel.elements.allSatisfy(\.isFinite) else {
            throw RestorationError(.notFinite, "\(path): the kernel holds numbers that are not finite")
        }
        var snapshot = Snapshot()
        snapshot.set("kernel", kernel)
        for (name, value) in attributes { snapshot.setAttribute(name, value) }
        try SnapshotFile.write(snapshot, to: path, format: "dkp-kernel", version: 1)
    }
}
