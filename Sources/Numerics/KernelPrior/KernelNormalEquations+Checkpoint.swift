public import Checkpointing
public import Degradation
import Tensors

extension KernelNormalEquations {
    /// Saves the equations under a path, as `matrix`, `vector` and `constant`.
    public func save(to snapshot: inout Snapshot, at path: String) {
        snapshot.set(path + "/matrix", matrix)
        snapshot.set(path + "/vector", vector)
        snapshot.setAttribute(path + "/constant", constant)
    }

    /// The equations saved under a path, of a kernel of `kernelSize` rows; nil where none were.
    ///
    /// - Throws: `CheckpointError` for a missing or misshapen part, ``KernelPriorError`` for a value that is not finite.
    public static func restore(
        from snapshot: Snapshot, at path: String, kernelSize: Int
    ) throws -> KernelNormalEquations? {
        guard snapshot.contains(path) else { return nil }
        let taps = kernelSize * kernelSize
        let matrix = try snapshot.doubles(path + "/matrix", count: taps * taps)
        let vector = try snapshot.doubles(path + "/vector", count: taps)
        let constant = try snapshot.double(path + "/constant")
        guard constant.isFinite, matrix.allSatisfy(\.isFinite), vector.allSatisfy(\.isFinite) else {
            throw KernelPriorError.checkpoint(path, "holds a value that is not finite")
        }
        return KernelNormalEquations(
            kernelSize: kernelSize, matrix: Tensor(shape: [taps, taps], matrix), vector: Tensor(shape: [taps], vector),
            constant: constant)
    }
}
