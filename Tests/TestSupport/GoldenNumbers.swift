import Foundation
public import HDF5
public import Tensors

/// Numbers computed by the original implementations, kept in an HDF5 file beside the tests.
public struct GoldenNumbers: Sendable {
    /// The file's path.
    public let path: String

    /// Degradation, losses, kernels, the skip network and the evaluation metrics ("dip.h5").
    public static let dip = GoldenNumbers(fixture: "dip")
    /// Noise schedules of diffusion models ("schedules.h5").
    public static let schedules = GoldenNumbers(fixture: "schedules")

    /// Four small U-Nets in the format of weights files, each with examples of what it predicts ("unets.h5").
    public static let unets = GoldenNumbers(fixture: "unets")

    private init(fixture: String) {
        // A missing file shows when a test reads from it, as an error that names it.
        path =
            Bundle.module.url(forResource: fixture, withExtension: "h5", subdirectory: "Vectors")?.path
            ?? "\(fixture).h5"
    }

    /// The file, open.
    public func open() throws -> HDF5File { try HDF5File(reading: path) }

    /// A dataset in single precision.
    public func floats(_ dataset: String) throws -> Tensor<Float> {
        let (shape, values) = try open().readFloats(dataset)
        return Tensor(shape: shape, values)
    }

    /// A dataset in double precision.
    public func doubles(_ dataset: String) throws -> Tensor<Double> {
        let (shape, values) = try open().readDoubles(dataset)
        return Tensor(shape: shape, values)
    }

    /// A dataset of integers, in row-major order.
    public func integers(_ dataset: String) throws -> [Int] {
        try open().readInt64s(dataset).values.map(Int.init)
    }

    /// A dataset of bytes (an 8-bit image), with its shape.
    public func bytes(_ dataset: String) throws -> (shape: [Int], values: [UInt8]) {
        try open().readBytes(dataset)
    }

    /// An attribute of a group or dataset.
    public func attribute(_ name: String, of path: String) throws -> AttributeValue {
        try open().attribute(name, of: path)
    }

    /// The names in a group.
    public func children(of group: String) throws -> [String] { try open().children(of: group) }

    /// Whether there is such a group or dataset.
    public func contains(_ path: String) throws -> Bool { try open().contains(path) }
}
