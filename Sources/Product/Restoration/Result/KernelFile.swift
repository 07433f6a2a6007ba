import Checkpointing
import Files
import Imaging
import Jobs
public import HDF5
public import Tensors

/// Blur kernels in HDF5 files: a dataset `kernel` [n, n] at the root.
public enum KernelFile {
    /// Reads a kernel: of an HDF5 file, or a picture whose gray levels are its taps up to a factor.
    /// - Throws: ``RestorationError`` if it is not square, or not non-negative with the sum 1; `HDF5Error`; `ImageError`.
    public static func read(_ path: String) throws -> Tensor<Double> {
        try LocalFileSystem().requireReadable(path)
        if path.lowercased().hasSuffix(".png") { return try readPicture(path) }
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

    private static func readPicture(_ path: String) throws -> Tensor<Double> {
        let image = try Image(file: path)
        let values = image.colour.channelMean().elements.map { Double($0) }
        let sum = values.reduce(0, +)
        guard image.height == image.width, image.height % 2 == 1, sum > 0 else {
            throw RestorationError(
                .badInput, "\(path): a picture of \(image.width) x \(image.height)\(sum > 0 ? "" : ", all black")",
                remedy:
                    "give the kernel as a square picture with an odd number of rows, brighter where there is more blur")
        }
        return Tensor(shape: [image.height, image.width], values.map { $0 / sum })
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

extension Tensor<Float> {
    /// A kernel `[m, m]` in the middle of a larger one `[size, size]`, with zeros around it; as it is where it is as large,
    /// or where the middles do not meet.
    package func padded(toSize size: Int) -> Tensor<Float> {
        let count = shape[0]
        guard shape == [count, count], count < size, count % 2 == size % 2 else { return self }
        let margin = (size - count) / 2
        var result = Tensor(shape: [size, size])
        for row in 0..<count {
            for column in 0..<count { result[(row + margin) * size + column + margin] = self[row * count + column] }
        }
        return result
    }
}
